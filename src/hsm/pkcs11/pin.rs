//! PINs: read late, kept in memory that is wiped, dropped as soon as the login is done.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::types::RawAuthPin;
use zeroize::Zeroizing;

use crate::hsm::Error;
use crate::secret::SecretBytes;

/// Longest PIN in bytes. Luna's have at most 255.
const MAX_PIN: usize = 1024;

/// How long a file, a command or a callback may take: nothing can log in before, and a pool must
/// not hang for ever on a pipe that nobody writes to.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often the end of a command is looked for.
const POLL: Duration = Duration::from_millis(5);

/// Where the user's PIN comes from.
///
/// It is read anew for each login, except [`PinSource::Value`], kept only in memory that is wiped,
/// and dropped after the login. No `Debug`, error, event or process argument shows it.
///
/// A file, a command and a callback have 30 s; then the login fails. A PIN has at most 1024 bytes
/// and one line, whose end does not count.
#[non_exhaustive]
pub enum PinSource {
    /// `pin-source=file:/path` or `pin-source=/path`: the only line of a file.
    File(PathBuf),
    /// `pin-value=...`: the PIN itself. Others may see it where URIs are kept; prefer a file.
    Value(SecretBytes),
    /// `pin-source=env:NAME`, which is an extension of RFC 7512: an environment variable.
    ///
    /// The process's environment itself cannot be wiped, and its owner and root can read it in
    /// /proc. Prefer a file or a command.
    Environment(String),
    /// `pin-source=|/path/of/program argument...` (RFC 7512, 2.4): what a program writes.
    ///
    /// There is no shell. In a URI, blanks (`%20`) separate the arguments, and the program's path
    /// is absolute. Its standard input and error are /dev/null. It must end with status 0, and is
    /// killed after 30 s. Arguments can be seen by every user of the machine.
    Command {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<OsString>,
    },
    /// A function of the program. It runs on a thread of its own.
    Callback(PinCallback),
}

/// A function that tells the PIN. What its error says is shown, so that it must not have the PIN.
pub type PinCallback =
    Arc<dyn Fn() -> Result<SecretBytes, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

impl fmt::Debug for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Value(_) => f.debug_tuple("Value").finish_non_exhaustive(),
            Self::Environment(name) => f.debug_tuple("Environment").field(name).finish(),
            // An argument may tell how to get at the PIN.
            Self::Command { program, .. } => f
                .debug_struct("Command")
                .field("program", program)
                .finish_non_exhaustive(),
            Self::Callback(_) => f.debug_tuple("Callback").finish_non_exhaustive(),
        }
    }
}

type Pin = Zeroizing<Vec<u8>>;

/// The PIN, read now; at most [`DEADLINE`] later.
pub(super) fn read(source: &PinSource) -> Result<RawAuthPin, Error> {
    let mut pin = read_within(source, DEADLINE)?;
    Ok(RawAuthPin::new(Box::new(std::mem::take(&mut *pin))))
}

fn read_within(source: &PinSource, deadline: Duration) -> Result<Pin, Error> {
    match source {
        // It would be a wrong PIN, and tries are counted.
        PinSource::Value(value) if value.is_empty() => Err(Error::Incomplete {
            advice: "the PIN is empty, and was not tried",
        }),
        PinSource::Value(value) => Ok(Zeroizing::new(value.to_vec())),
        PinSource::File(path) => read_file(path.clone(), deadline).map_err(|reason| {
            let path = path.clone();
            Error::PinFile { path, reason }
        }),
        PinSource::Environment(name) => read_environment(name).map_err(|reason| {
            let name = name.clone();
            Error::PinEnvironment { name, reason }
        }),
        PinSource::Command { program, arguments } => {
            let mut command = Command::new(program);
            command.args(arguments);
            run(command, deadline).map_err(|reason| Error::PinCommand {
                program: program.clone(),
                reason,
            })
        }
        PinSource::Callback(callback) => {
            let callback = callback.clone();
            let call = move || callback().map_err(|error| error.to_string());
            within(deadline, call)
                .and_then(|pin| line(Zeroizing::new(pin.to_vec())))
                .map_err(|reason| Error::PinCallback { reason })
        }
    }
}

fn read_file(path: PathBuf, deadline: Duration) -> Result<Pin, String> {
    within(deadline, move || {
        let file = File::open(path).map_err(|error| error.to_string())?;
        read_line(file)
    })
}

fn read_environment(name: &str) -> Result<Pin, String> {
    let value = std::env::var_os(name).ok_or("it is not set")?;
    line(Zeroizing::new(value.into_encoded_bytes()))
}

/// What a program writes; it is killed at the deadline.
fn run(mut command: Command, deadline: Duration) -> Result<Pin, String> {
    let end = Instant::now() + deadline;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let result = answer(&mut child, end);
    if result.is_err() {
        // Both fail only if it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
    result
}

fn answer(child: &mut Child, end: Instant) -> Result<Pin, String> {
    let output: ChildStdout = child.stdout.take().ok_or("it has no output")?;
    let pin = within(end.saturating_duration_since(Instant::now()), move || {
        read_line(output)
    })?;
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(pin),
            Some(status) => return Err(format!("it ended with {status}")),
            None if Instant::now() >= end => return Err(late()),
            None => thread::sleep(POLL),
        }
    }
}

/// Does the work on another thread, which is left behind if it takes longer.
fn within<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("shangmi-pin".into())
        .spawn(move || {
            // Nobody may wait any more, and then the PIN is dropped here.
            let _ = sender.send(work());
        })
        .map_err(|error| error.to_string())?;
    match receiver.recv_timeout(deadline) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(late()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err("it panicked".into()),
    }
}

fn late() -> String {
    "it gave no PIN in time".into()
}

/// The only line, without its end.
fn read_line(source: impl Read) -> Result<Pin, String> {
    // All the room that reading may take, since growing would leave a copy behind.
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_PIN + 64));
    source
        .take(MAX_PIN as u64 + 3)
        .read_to_end(&mut content)
        .map_err(|error| error.to_string())?;
    line(content)
}

fn line(mut content: Pin) -> Result<Pin, String> {
    for end in *b"\n\r" {
        if content.last() == Some(&end) {
            content.pop();
        }
    }
    if content.len() > MAX_PIN {
        return Err(format!("it is longer than {MAX_PIN} bytes"));
    }
    match content.contains(&b'\n') {
        _ if content.is_empty() => Err("it is empty".into()),
        true => Err("it has more than one line".into()),
        false => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::path::Path;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(200);

    fn pin(source: &PinSource, deadline: Duration) -> Result<Vec<u8>, String> {
        let pin = read_within(source, deadline);
        pin.map(|pin| pin.to_vec())
            .map_err(|error| error.to_string())
    }

    fn read_text(name: &str, text: &[u8]) -> Result<Vec<u8>, String> {
        let path = std::env::temp_dir().join(format!("shangmi-pin-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let pin = pin(&PinSource::File(path.clone()), LONG);
        std::fs::remove_file(&path).unwrap();
        let shown = format!("PIN file {}: ", path.display());
        pin.map_err(|error| error.strip_prefix(&shown).unwrap().to_owned())
    }

    fn shell(script: &str) -> PinSource {
        PinSource::Command {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        }
    }

    #[test]
    fn one_line_and_nothing_else() {
        assert_eq!(read_text("bare", b"1234").unwrap(), b"1234");
        assert_eq!(read_text("unix", b"12 34\n").unwrap(), b"12 34");
        assert_eq!(read_text("windows", b"1234\r\n").unwrap(), b"1234");
        assert_eq!(read_text("longest", &[b'1'; 1024]).unwrap().len(), 1024);
        let ended = [&[b'1'; 1024][..], b"\r\n"].concat();
        assert_eq!(read_text("ended", &ended).unwrap().len(), 1024);
        assert_eq!(read_text("empty", b"\n").unwrap_err(), "it is empty");
        assert_eq!(
            read_text("two", b"1234\n5678\n").unwrap_err(),
            "it has more than one line"
        );
        assert_eq!(
            read_text("long", &[b'1'; 1025]).unwrap_err(),
            "it is longer than 1024 bytes"
        );
        let missing = PinSource::File("/nonexistent/pin".into());
        assert!(pin(&missing, LONG).unwrap_err().contains("No such file"));
    }

    #[cfg(unix)]
    #[test]
    fn file_that_nobody_writes_to_hangs_nothing() {
        let pipe = std::env::temp_dir().join(format!("shangmi-pipe-{}", std::process::id()));
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let error = pin(&PinSource::File(pipe.clone()), SHORT).unwrap_err();
        assert!(error.ends_with("it gave no PIN in time"), "{error}");
        // Lets the thread that is left behind go.
        std::fs::write(&pipe, "1234").unwrap();
        std::fs::remove_file(&pipe).unwrap();
    }

    #[test]
    fn environment() {
        // One that cargo sets, since a test with threads must not change the environment.
        let source = PinSource::Environment("CARGO_PKG_NAME".into());
        assert_eq!(pin(&source, LONG).unwrap(), b"shangmi");
        let source = PinSource::Environment("SHANGMI_NO_SUCH_PIN".into());
        assert_eq!(
            pin(&source, LONG).unwrap_err(),
            "PIN in the environment variable SHANGMI_NO_SUCH_PIN: it is not set"
        );
    }

    #[cfg(unix)]
    #[test]
    fn commands_answer_on_their_output_alone() {
        assert_eq!(pin(&shell("echo 1234"), LONG).unwrap(), b"1234");
        // Blanks and `$` in an argument are nobody's to expand.
        let echo = PinSource::Command {
            program: "/bin/echo".into(),
            arguments: vec!["$HOME  *".into()],
        };
        assert_eq!(pin(&echo, LONG).unwrap(), b"$HOME  *");
        for (script, error) in [
            ("echo 1234; exit 3", "it ended with exit status: 3"),
            ("kill -9 $$", "it is empty"),
            ("echo 1234 >&2", "it is empty"),
            ("cat", "it is empty"),
            ("echo 1234; echo 5678", "it has more than one line"),
            (
                "while :; do echo 1234567890; done",
                "it is longer than 1024 bytes",
            ),
        ] {
            let shown = pin(&shell(script), LONG).unwrap_err();
            assert_eq!(shown, format!("PIN command /bin/sh: {error}"), "{script}");
        }
        let missing = PinSource::Command {
            program: "/nonexistent/pin".into(),
            arguments: Vec::new(),
        };
        assert!(pin(&missing, LONG).unwrap_err().contains("No such file"));
    }

    #[test]
    fn an_empty_pin_is_no_pin() {
        let source = PinSource::Value(SecretBytes::copy_of(b""));
        assert_eq!(
            pin(&source, LONG).unwrap_err(),
            "PKCS#11 URI: the PIN is empty, and was not tried"
        );
    }

    /// Both while it writes and after it has closed its output.
    #[cfg(unix)]
    #[test]
    fn slow_commands_are_killed() {
        for script in [
            "echo $$ >$0; exec sleep 1000",
            "echo $$ >$0; echo 1234; exec sleep 1000 >&-",
        ] {
            let file = std::env::temp_dir().join(format!("shangmi-pid-{}", std::process::id()));
            let PinSource::Command {
                program,
                mut arguments,
            } = shell(script)
            else {
                panic!()
            };
            arguments.push(file.clone().into());
            let command = PinSource::Command { program, arguments };
            let error = pin(&command, Duration::from_secs(2)).unwrap_err();
            assert!(error.ends_with("it gave no PIN in time"), "{error}");

            let id = std::fs::read_to_string(&file).unwrap();
            std::fs::remove_file(&file).unwrap();
            let process = Path::new("/proc").join(id.trim());
            assert!(Path::new("/proc/self").exists() && !process.exists());
        }
    }

    #[test]
    fn callbacks() {
        type Answer = Result<SecretBytes, Box<dyn std::error::Error + Send + Sync>>;
        let source = |answer: fn() -> Answer| PinSource::Callback(Arc::new(answer));
        let told = source(|| Ok(SecretBytes::copy_of(b"1234")));
        assert_eq!(pin(&told, LONG).unwrap(), b"1234");
        for (source, deadline, error) in [
            (source(|| Err("no vault".into())), LONG, "no vault"),
            (
                source(|| Ok(SecretBytes::copy_of(b""))),
                LONG,
                "it is empty",
            ),
            (source(|| panic!("a bug")), LONG, "it panicked"),
            (
                source(|| {
                    thread::sleep(LONG);
                    Ok(SecretBytes::copy_of(b"1234"))
                }),
                SHORT,
                "it gave no PIN in time",
            ),
        ] {
            let shown = pin(&source, deadline).unwrap_err();
            assert_eq!(shown, format!("PIN callback: {error}"));
        }
    }

    #[test]
    fn nothing_shows_a_pin() {
        let sources = [
            PinSource::Value(SecretBytes::copy_of(b"hunter2")),
            PinSource::Callback(Arc::new(|| Ok(SecretBytes::copy_of(b"hunter2")))),
            shell("echo hunter2"),
            shell("echo hunter2; exit 1"),
            shell("echo hunter2; echo hunter2"),
        ];
        for source in &sources {
            let error = read_within(source, LONG).err();
            let shown = format!("{source:?} {source:#?} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            if let Some(error) = error {
                assert!(!error.to_string().contains("hunter2"));
            }
            // Nor what the login takes.
            let pin = read(source).map(|pin| format!("{pin:?}"));
            assert!(!format!("{pin:?}").contains("hunter2"));
        }
    }
}
