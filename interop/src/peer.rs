//! Runs the scripted peer (`peer/peer.c`) of a foreign stack and reads the events that it prints.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::stack::Stack;

/// The version that the linked library reports of itself, such as `OpenSSL 4.0.3 ..`.
///
/// # Errors
/// When the peer cannot be built or run.
pub fn version(stack: Stack) -> io::Result<String> {
    let report = Peer::start(stack, &["version"])?.finish()?;
    let event = report.first("version")?;
    Ok(event.text.clone())
}

/// Makes a CA with a server and a client certificate in `dir`, all by the foreign library:
/// `{ca,server,client}.{pem,key}`.
///
/// # Errors
/// When the peer cannot be built or run, or refuses `options`.
pub fn make_chain(stack: Stack, dir: &Path, options: &[&str]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let dir = dir.to_string_lossy();
    let report = Peer::start(stack, &[&["chain", "--dir", &dir], options].concat())?.finish()?;
    report.first("done").map(|_| ())
}

/// A running peer. It ends by itself at its deadline; dropping it ends it at once.
pub struct Peer {
    child: Child,
    output: BufReader<ChildStdout>,
    command: String,
}

impl Peer {
    /// Starts a server; returns it with its port on loopback, once it listens.
    ///
    /// # Errors
    /// When the peer cannot be built or run, or refuses `options`.
    pub fn server(stack: Stack, options: &[&str]) -> io::Result<(Self, u16)> {
        let mut peer = Self::start(stack, &[&["server"], options].concat())?;
        let mut line = String::new();
        peer.output.read_line(&mut line)?;
        let port = Event::parse(line.trim_end())
            .filter(|event| event.name == "listening")
            .and_then(|event| event.value("port")?.parse().ok());
        match port {
            Some(port) => Ok((peer, port)),
            None => Err(peer.finish()?.missing("listening")),
        }
    }

    /// Starts a client of the server at `port` on loopback.
    ///
    /// # Errors
    /// When the peer cannot be built or run.
    pub fn client(stack: Stack, port: u16, options: &[&str]) -> io::Result<Self> {
        Self::start(
            stack,
            &[&["client", "--port", &port.to_string()], options].concat(),
        )
    }

    fn start(stack: Stack, arguments: &[&str]) -> io::Result<Self> {
        let executable = stack.peer().map_err(io::Error::other)?;
        let mut child = Command::new(executable)
            .args(arguments)
            // No openssl.cnf of this machine takes part.
            .env("OPENSSL_CONF", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no pipe from the peer"))?;
        Ok(Self {
            child,
            output: BufReader::new(output),
            command: format!("{stack} {}", arguments.join(" ")),
        })
    }

    /// Waits for the end and returns all that the peer reported.
    ///
    /// # Errors
    /// When the pipe from the peer fails, or it printed something that is not an event.
    pub fn finish(mut self) -> io::Result<Report> {
        let mut events = Vec::new();
        for line in self.output.by_ref().lines() {
            let line = line?;
            events.push(
                Event::parse(&line)
                    .ok_or_else(|| io::Error::other(format!("not an event: {line}")))?,
            );
        }
        let mut complaint = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut complaint)?;
        }
        let status = self.child.wait()?;
        Ok(Report {
            command: std::mem::take(&mut self.command),
            status: status.code(),
            events,
            complaint,
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line of a peer: a name, then words `key=value`.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub name: String,
    /// The rest of the line.
    pub text: String,
}

impl Event {
    fn parse(line: &str) -> Option<Self> {
        let (name, text) = line.split_once(' ').unwrap_or((line, ""));
        (!name.is_empty()).then(|| Self {
            name: name.into(),
            text: text.into(),
        })
    }

    /// The value of `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.text
            .split(' ')
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

/// All that a peer reported until it ended.
#[derive(Debug)]
pub struct Report {
    /// Stack and arguments, for messages.
    pub command: String,
    /// The exit status: 0 all done, 1 a TLS error, 2 wrong use, 3 deadline.
    pub status: Option<i32>,
    /// The events in order.
    pub events: Vec<Event>,
    /// What it wrote to stderr.
    pub complaint: String,
}

impl Report {
    /// Every step of every connection was done.
    pub fn succeeded(&self) -> bool {
        self.status == Some(0)
    }

    /// The events of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| event.name == name)
    }

    /// The first event of that name.
    ///
    /// # Errors
    /// When there is none; the error shows the whole report.
    pub fn first(&self, name: &str) -> io::Result<&Event> {
        self.events
            .iter()
            .find(|event| event.name == name)
            .ok_or_else(|| self.missing(name))
    }

    /// The description of the first fatal alert that the peer read (RFC 8446 6).
    pub fn alert_read(&self) -> Option<u8> {
        self.alert("read")
    }

    /// The description of the first fatal alert that the peer wrote.
    pub fn alert_written(&self) -> Option<u8> {
        self.alert("write")
    }

    fn alert(&self, direction: &str) -> Option<u8> {
        self.all("alert")
            .filter(|event| event.text.starts_with(direction))
            .filter_map(|event| event.value("desc")?.parse().ok())
            .find(|&description| description != CLOSE_NOTIFY)
    }

    fn missing(&self, name: &str) -> io::Error {
        io::Error::other(format!("no `{name}` event\n{self}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} -> {:?}", self.command, self.status)?;
        for event in &self.events {
            writeln!(f, "  {} {}", event.name, event.text)?;
        }
        write!(f, "{}", self.complaint)
    }
}

const CLOSE_NOTIFY: u8 = 0;
