//! Contenders in other processes, which take their turns by commands over a pipe: the foreign stacks
//! (`bench/bench.c` says which commands there are) and this library with other settings.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use super::task::Task;
use super::work::{Inputs, Work, hex};
use super::{Contender, Ours, Result, Who};
use crate::stack::Stack;

pub(super) struct Driver {
    who: Who,
    name: String,
    hardware: String,
    process: Rc<RefCell<Process>>,
}

/// A foreign stack; builds it if need be.
pub(super) fn stack(stack: Stack, inputs: &Inputs) -> Result<Driver> {
    let mut command = Command::new(stack.bench()?);
    command
        .arg(&inputs.certificates)
        .args([&hex(&inputs.secret), &hex(&inputs.public)])
        .arg(hex(&inputs.signature))
        // No openssl.cnf of this machine takes part.
        .env("OPENSSL_CONF", "/dev/null");
    let (who, remark) = match stack {
        Stack::OpenSsl => (Who::OpenSsl, "SM2 in portable C, as it has no other"),
        Stack::Tongsuo => (
            Who::Tongsuo,
            "SM2 in portable C, as ec_sm2p_64_gcc_128 is off by default",
        ),
    };
    let mut driver = Driver::start(who, command)?;
    driver.hardware = format!("{}; {remark}", driver.hardware);
    Ok(driver)
}

/// This library in a process of its own, in which it may use no special instruction.
pub(super) fn portable(program: &Path) -> Result<Driver> {
    let mut command = Command::new(program);
    command.arg("serve").env("SHANGMI_CPU_DISABLE", "all");
    let mut driver = Driver::start(Who::OursPortable, command)?;
    driver.name.push_str(", portable code");
    Ok(driver)
}

impl Driver {
    fn start(who: Who, mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take().ok_or("no pipe to the driver")?;
        let answers = child.stdout.take().ok_or("no pipe from the driver")?;
        let mut process = Process {
            commands: Some(commands),
            answers: BufReader::new(answers),
            child,
        };
        Ok(Self {
            who,
            name: process.ask("version")?,
            hardware: process.ask("hardware")?,
            process: Rc::new(RefCell::new(process)),
        })
    }
}

impl Contender for Driver {
    fn who(&self) -> Who {
        self.who
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn hardware(&self) -> String {
        self.hardware.clone()
    }

    fn task(&self, work: Work, _: &Inputs) -> Result<Option<Box<dyn Task>>> {
        let process = self.process.clone();
        Ok(Some(Box::new(Turns { process, work })))
    }
}

struct Turns {
    process: Rc<RefCell<Process>>,
    work: Work,
}

impl Task for Turns {
    fn once(&mut self) -> Result<()> {
        self.time(1).map(|_| ())
    }

    fn output(&mut self) -> Result<Vec<u8>> {
        let answer = self
            .process
            .borrow_mut()
            .ask(&format!("output {}", self.work))?;
        let byte = |i| u8::from_str_radix(answer.get(i..i + 2).unwrap_or_default(), 16);
        Ok((0..answer.len())
            .step_by(2)
            .map(byte)
            .collect::<std::result::Result<_, _>>()?)
    }

    fn time(&mut self, calls: u32) -> Result<Duration> {
        let answer = self
            .process
            .borrow_mut()
            .ask(&format!("time {} {calls}", self.work))?;
        Ok(Duration::from_nanos(answer.parse()?))
    }
}

struct Process {
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    child: Child,
}

impl Process {
    fn ask(&mut self, command: &str) -> Result<String> {
        let commands = self.commands.as_mut().ok_or("the driver was told to end")?;
        writeln!(commands, "{command}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.strip_suffix('\n') {
            Some(answer) => Ok(answer.to_owned()),
            None => Err(format!("the driver ended at `{command}`; its reason is above").into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends when there are no more commands.
        self.commands = None;
        let _ = self.child.wait();
    }
}

/// Answers the commands of [`portable`] until there are no more.
///
/// # Errors
/// When a command is wrong or cannot be done.
pub fn serve() -> Result<()> {
    let inputs = Inputs::new()?;
    let mut current: Option<(Work, Box<dyn Task>)> = None;
    for line in stdin().lines() {
        let line = line?;
        let words: Vec<_> = line.split(' ').collect();
        let answer = match *words.as_slice() {
            ["version"] => Ours.name(),
            ["hardware"] => match Ours.hardware() {
                none if none.is_empty() => "none".to_owned(),
                some => some,
            },
            [command, kind, len, ref calls @ ..] => {
                let work = Work {
                    kind: kind.parse()?,
                    len: len.parse()?,
                };
                if current.as_ref().is_none_or(|(done, _)| *done != work) {
                    let task = Ours.task(work, &inputs)?.ok_or("not our work")?;
                    current = Some((work, task));
                }
                let (_, task) = current.as_mut().ok_or("no work")?;
                match (command, calls) {
                    ("output", []) => hex(&task.output()?),
                    ("time", [calls]) => task.time(calls.parse()?)?.as_nanos().to_string(),
                    _ => return Err(format!("not a command: {line}").into()),
                }
            }
            _ => return Err(format!("not a command: {line}").into()),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}
