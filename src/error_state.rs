//! What comes out of this library once a self test has failed, at the start or later: nothing. And
//! that no service begins before its tests.
//!
//! The module's state is a process's, so each case runs in a process of its own: this test program,
//! started again with a role.

mod entries;
#[cfg(feature = "rustls")]
mod handshakes;
#[cfg(feature = "international")]
mod international;

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::{env, fs, thread};

use crate::gate::{self, Algorithm, Service, injection};
use crate::module::{self, State};
use entries::{Call, Entry, Refusal, SM};

/// What a process started by these tests is to do.
const ROLE: &str = "SHANGMI_TEST_ROLE";

/// One process for each check of each self test, in which it fails at the start; and one for each
/// self test, in which it fails when all works already.
#[test]
fn every_injected_failure_ends_in_the_error_state() {
    match role().as_deref() {
        None => {}
        Some("list") => return list(),
        Some("start") => return fails_at_the_start(),
        Some(later) => return fails_later(later),
    }
    let unsealed = Program::this();
    let sealed = Program::sealed();
    let name = "error_state::every_injected_failure_ends_in_the_error_state";
    let mut checks = 0;
    let mut seen = BTreeSet::new();
    for program in [&unsealed, &sealed] {
        for check in program.checks(name) {
            if !seen.insert(check.clone()) {
                continue;
            }
            program.run(name, "start", Some(&check));
            checks += 1;
            println!("injected {check} refused");
        }
    }
    println!("injected failures: {checks} of {}", seen.len());
    assert!(checks > 60, "only {checks} checks were found");

    let first_of = |test: &str| seen.iter().find(|check| check.starts_with(test));
    let tests: BTreeSet<&str> = seen
        .iter()
        .filter_map(|c| Some(c.split_once('/')?.0))
        .collect();
    for test in tests {
        let check = first_of(&format!("{test}/")).unwrap();
        let program = match test {
            "integrity" => &sealed,
            _ => &unsealed,
        };
        program.run(name, check, None);
        println!("injected {check} while all works refused");
    }
}

/// Prints the names of all checks, by the hook in `gate`.
fn list() {
    module::power_on().unwrap();
    for entry in entries() {
        used(entry).unwrap();
    }
}

fn fails_at_the_start() {
    let failed = env::var(injection::VARIABLE).unwrap();
    if module::power_on().is_ok() {
        // A check of something conditional: the making of a key, say.
        let some = entries().any(|entry| used(entry).is_err());
        assert!(some, "{failed} is never checked");
    }
    nothing_comes_out(&failed);
}

fn fails_later(failed: &str) {
    let prepared: Vec<_> = entries()
        .map(|entry| (entry, (entry.prepare)().unwrap()))
        .collect();
    #[cfg(feature = "rustls")]
    let providers = handshakes::providers();
    injection::order(failed);
    if module::self_test().failure.is_none() {
        let some = entries().any(|entry| used(entry).is_err());
        assert!(some, "{failed} is never checked");
    }
    for (entry, call) in prepared {
        assert_refused(entry, failed, call);
    }
    #[cfg(feature = "rustls")]
    handshakes::make_nothing(&providers);
    nothing_comes_out(failed);
}

/// Whatever is called, and however often the tests are run again.
fn nothing_comes_out(failed: &str) {
    assert_eq!(module::state(), State::Error);
    let says = |error: module::Error| assert!(names(&error.to_string(), failed), "{error}");
    says(module::power_on().unwrap_err());
    says(module::operational().unwrap_err());
    let report = module::self_test();
    assert_eq!(report.outcomes.len(), 0);
    assert_eq!(report.state, State::Error);
    says(report.failure.unwrap());
    for entry in entries() {
        assert_refused(entry, failed, || (entry.prepare)()?());
    }
    #[cfg(feature = "rustls")]
    handshakes::build_nothing(failed);
    assert_eq!(module::state(), State::Error);
}

fn assert_refused(entry: &Entry, failed: &str, call: impl FnOnce() -> Result<(), Refusal>) {
    let name = entry.name;
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => panic!("{name}: something came out after {failed} had failed"),
        Ok(Err(Refusal::Mute)) => {}
        Ok(Err(Refusal::Says(text))) => assert!(names(&text, failed), "{name}: {text}"),
        Err(panic) => {
            let text = text_of(&*panic);
            // rustls 0.23 takes for granted that records can be sealed.
            let by_rustls = text.ends_with("EncryptError");
            assert!(names(text, failed) || by_rustls, "{name}: {text}");
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal
        .or_else(|| panic.downcast_ref().map(String::as_str))
        .unwrap()
}

/// Whether an error's text names the check.
fn names(text: &str, failed: &str) -> bool {
    let (test, check) = failed.split_once('/').unwrap();
    text.contains(&format!("self test {test} failed ({check})"))
}

fn used(entry: &Entry) -> Result<(), Refusal> {
    (entry.prepare)()?()
}

/// All.
fn entries() -> impl Iterator<Item = &'static Entry> + Clone {
    static LISTS: &[&[Entry]] = &[
        SM,
        #[cfg(feature = "rustls")]
        handshakes::ENTRIES,
        #[cfg(feature = "international")]
        international::ENTRIES,
    ];
    LISTS.iter().copied().flatten()
}

/// One process for each service, which uses it first of all.
#[test]
fn a_service_runs_its_test_first() {
    if let Some(name) = role() {
        let entry = entries().find(|entry| entry.name == name).unwrap();
        assert_eq!(module::state(), State::PowerOn);
        let (result, used) = module::observe(|| used(entry));
        result.unwrap();
        assert_eq!(module::state(), State::Operational);
        for service in entry.services {
            assert!(used.contains(*service), "{service} was not noted");
        }
        let before = [Algorithm::Sm3, Algorithm::HmacSm3, Algorithm::Integrity];
        for algorithm in before.iter().chain(entry.tests) {
            assert!(gate::has_passed(*algorithm), "{}", algorithm.name());
        }
        return;
    }
    for entry in entries() {
        let name = "error_state::a_service_runs_its_test_first";
        Program::this().run(name, entry.name, None);
    }
}

/// So that none of these tests can forget one.
#[test]
fn every_service_and_algorithm_is_entered() {
    for service in Service::ALL {
        let by = |entry: &Entry| entry.services.contains(service);
        assert_eq!(entries().any(by), entries::is_here(*service), "{service}");
    }
    for algorithm in module::tested() {
        let by = |entry: &Entry| entry.tests.contains(&algorithm);
        assert!(
            entries().any(by) || entries::is_below_others(algorithm),
            "{}",
            algorithm.name()
        );
    }
}

/// The first use in many threads at once, and tests on demand under them.
#[test]
fn threads_share_one_run_of_the_tests() {
    const THREADS: usize = 8;
    if role().is_none() {
        let name = "error_state::threads_share_one_run_of_the_tests";
        let printed = Program::this().run(name, "threads", Some("list"));
        let once = printed.split("---- on demand").next().unwrap();
        let mut seen = BTreeSet::new();
        // That of a new key is made for each.
        for check in checks_in(once).filter(|check| !check.ends_with("/pairwise consistency")) {
            assert!(seen.insert(check.clone()), "{check} was made twice");
        }
        assert!(seen.len() > 60, "{seen:?}");
        return;
    }
    let start = Barrier::new(THREADS);
    let count = entries().count();
    let in_threads = |rounds: usize| {
        thread::scope(|scope| {
            for i in 0..THREADS {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..rounds {
                        // Each thread begins elsewhere.
                        for entry in entries().cycle().skip(5 * i).take(count) {
                            used(entry).unwrap_or_else(|e| panic!("{}: {e:?}", entry.name));
                        }
                    }
                });
            }
        });
    };
    in_threads(1);
    println!("---- on demand");
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..5 {
                let report = module::self_test();
                assert_eq!(report.failure, None);
                assert!(report.outcomes.iter().all(|outcome| outcome.result.is_ok()));
            }
        });
        in_threads(2);
    });
    assert_eq!(module::state(), State::Operational);
}

/// What is not approved-GM is refused, and says so where it can.
#[test]
fn strict_gm_mode_refuses_all_others() {
    if role().is_none() {
        let name = "error_state::strict_gm_mode_refuses_all_others";
        Program::this().run(name, "strict", None);
        return;
    }
    // Made before: the mode refuses what is already there.
    let prepared: Vec<_> = entries().map(|e| (e, (e.prepare)().unwrap())).collect();
    module::set_strict_gm();
    assert!(module::is_strict_gm());
    let refused = |entry: &Entry, call: Call| {
        let is_gm = |service: &Service| service.approval() == module::Approval::Gm;
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(())) => assert!(entry.services.iter().all(is_gm), "{}", entry.name),
            Ok(Err(Refusal::Mute)) => assert!(!entry.services.iter().all(is_gm), "{}", entry.name),
            Ok(Err(Refusal::Says(text))) => {
                assert!(
                    text.contains("strict GM mode is on"),
                    "{}: {text}",
                    entry.name
                );
            }
            Err(panic) => {
                let text = text_of(&*panic);
                let by_rustls = text.ends_with("EncryptError");
                let says = text.contains("strict GM mode is on") || by_rustls;
                assert!(says, "{}: {text}", entry.name);
            }
        }
    };
    for (entry, call) in prepared {
        refused(entry, call);
    }
    #[cfg(feature = "rustls")]
    handshakes::are_all_sm();
    assert_eq!(module::state(), State::Operational);
}

fn role() -> Option<String> {
    env::var(ROLE).ok()
}

fn checks_in(printed: &str) -> impl Iterator<Item = String> {
    let lines = printed.lines();
    lines.filter_map(|line| Some(line.strip_prefix("check ")?.to_owned()))
}

/// This test program, or a sealed copy of it.
struct Program {
    path: PathBuf,
    is_copy: bool,
}

impl Program {
    fn this() -> Self {
        Self {
            path: env::current_exe().unwrap(),
            is_copy: false,
        }
    }

    fn sealed() -> Self {
        let name = format!("shangmi-sealed-{}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::copy(env::current_exe().unwrap(), &path).unwrap();
        module::seal(&path).unwrap();
        Self {
            path,
            is_copy: true,
        }
    }

    fn checks(&self, test: &str) -> BTreeSet<String> {
        checks_in(&self.run(test, "list", Some("list"))).collect()
    }

    /// Runs one test of it in a role, and returns what it prints.
    fn run(&self, test: &str, role: &str, injected: Option<&str>) -> String {
        let mut command = Command::new(&self.path);
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).env("RUST_BACKTRACE", "0");
        command.env_remove(injection::VARIABLE);
        if let Some(check) = injected {
            command.env(injection::VARIABLE, check);
        }
        let output = command.output().unwrap();
        let [printed, complaints] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let ran = printed.contains("test result: ok. 1 passed");
        assert!(
            output.status.success() && ran,
            "{role} {injected:?}:\n{printed}\n{complaints}"
        );
        printed
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_copy {
            _ = fs::remove_file(Path::new(&self.path));
        }
    }
}
