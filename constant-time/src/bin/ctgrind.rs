//! Runs every operation under valgrind with its secret marked as undefined memory. Memcheck reports
//! each branch and each index that depends on it; a leaky control must be among the reported.
//!
//! To be run by `constant-time/run`, which builds the library with `--cfg shangmi_ctgrind`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

fn main() -> std::process::ExitCode {
    #[cfg(shangmi_ctgrind)]
    return ctgrind::run();
    #[cfg(not(shangmi_ctgrind))]
    {
        eprintln!("this needs a build with --cfg shangmi_ctgrind: use constant-time/run");
        std::process::ExitCode::FAILURE
    }
}

#[cfg(shangmi_ctgrind)]
mod ctgrind {
    use std::process::ExitCode;

    use shangmi::ct;
    use shangmi_constant_time::{CONTROLS, Output, Subject, fixed_secret, subjects};

    pub(crate) fn run() -> ExitCode {
        if !ct::running() {
            eprintln!("not under valgrind: use constant-time/run");
            return ExitCode::FAILURE;
        }
        let mut arguments = std::env::args().skip(1);
        let wanted = arguments.next().unwrap_or_default();
        let expected = arguments.next().unwrap_or_default();
        let kernels = shangmi::kernels().to_string();
        println!("ctgrind kernels: {kernels}");
        // Other ones, for want of instructions or by a misspelt variable, would show nothing new.
        if !kernels.ends_with(&expected) {
            eprintln!("ctgrind: these are not the kernels `{expected}`");
            return ExitCode::FAILURE;
        }
        let subjects: Vec<_> = subjects()
            .filter(|subject| subject.name.contains(&wanted))
            .collect();
        if subjects.is_empty() {
            eprintln!("ctgrind: nothing is called `{wanted}`");
            return ExitCode::FAILURE;
        }
        let mut failures = 0;
        for subject in subjects {
            let (errors, tainted) = watch(subject);
            let expected = subject.output == Output::Secret;
            let verdict = match (errors, tainted == expected) {
                (0, true) => "ok",
                (0, false) if expected => "FAILED: the secret did not reach the output",
                (0, false) => "FAILED: an output that should be public is not declassified",
                _ => "FAILED: a branch or an index depends on the secret",
            };
            failures += usize::from(verdict != "ok");
            println!("ctgrind {}: {errors} reports, {verdict}", subject.name);
        }
        for control in CONTROLS {
            let (errors, _) = watch(control);
            let verdict = if errors > 0 {
                "caught"
            } else {
                "FAILED: not caught"
            };
            failures += usize::from(errors == 0);
            println!("ctgrind {}: {errors} reports, {verdict}", control.name);
        }
        match failures {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    /// How many errors valgrind reports, and whether the output depends on the secret.
    fn watch(subject: &Subject) -> (usize, bool) {
        let mut secret = fixed_secret(subject.secret_len);
        // What is made once and for all, from no secret, shall be made before.
        (subject.run)(&secret);
        ct::mark_secret(&mut secret);
        let before = ct::errors();
        let output = (subject.run)(&secret);
        let errors = ct::errors() - before;
        let tainted = ct::has_secrets(&output);
        (errors, tainted)
    }
}
