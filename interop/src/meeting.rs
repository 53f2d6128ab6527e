//! Brings our end and a foreign peer together over TCP on loopback, and judges what both saw.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
};

use crate::chain::HOST;
use crate::ours::{self, Failure, Outcome, PATIENCE, SetupError, Step};
use crate::peer::{Peer, Report};
use crate::stack::Stack;

/// Our end of a meeting.
#[derive(Clone)]
pub enum Ours {
    /// We connect.
    Client(Arc<ClientConfig>),
    /// We listen.
    Server(Arc<ServerConfig>),
}

impl From<ClientConfig> for Ours {
    fn from(config: ClientConfig) -> Self {
        Self::Client(Arc::new(config))
    }
}

impl From<ServerConfig> for Ours {
    fn from(config: ServerConfig) -> Self {
        Self::Server(Arc::new(config))
    }
}

/// One or more connections between us and a foreign peer.
pub struct Meeting {
    stack: Stack,
    ours: Ours,
    options: Vec<String>,
    script: Vec<Step>,
    connections: usize,
}

impl Meeting {
    /// By default one connection, in which the client sends first, the server answers and the client
    /// closes; both must have got that far for a success.
    pub fn new(stack: Stack, ours: Ours) -> Self {
        let script = match ours {
            Ours::Client(_) => vec![Step::Send(1000), Step::Receive(1000), Step::Close],
            Ours::Server(_) => vec![Step::Receive(1000), Step::Send(1000), Step::AwaitClose],
        };
        let meeting = Self {
            stack,
            ours,
            options: Vec::new(),
            script,
            connections: 1,
        };
        match meeting.ours {
            Ours::Client(_) => meeting,
            Ours::Server(_) => meeting.peer(&["--host", HOST]),
        }
    }

    /// More options for the peer, as `peer.c` has them; the last of a kind counts.
    pub fn peer(mut self, options: &[&str]) -> Self {
        self.options
            .extend(options.iter().map(|&option| option.into()));
        self
    }

    /// Certificates that the peer trusts, `ca.pem` in a directory.
    pub fn peer_trusts(self, dir: &Path) -> Self {
        self.peer(&["--ca", &file(dir, "ca.pem")])
    }

    /// The peer's own certificate, from a directory with a chain.
    pub fn peer_is(self, dir: &Path) -> Self {
        let name = match self.ours {
            Ours::Client(_) => "server",
            Ours::Server(_) => "client",
        };
        let (chain, key) = (
            file(dir, &format!("{name}.pem")),
            file(dir, &format!("{name}.key")),
        );
        self.peer(&["--chain", &chain, "--key", &key])
    }

    /// Only the server authenticates itself, with the chain in a directory.
    pub fn server_auth(self, certificates: &Path) -> Self {
        match self.ours {
            Ours::Client(_) => self.peer_is(certificates),
            Ours::Server(_) => self.peer_trusts(certificates),
        }
    }

    /// Both ends authenticate themselves, with chains of their own.
    pub fn mutual(self, ours: &Path, peers: &Path) -> Self {
        let meeting = self.peer_is(peers).peer_trusts(ours);
        match meeting.ours {
            Ours::Client(_) => meeting.peer(&["--verify"]),
            Ours::Server(_) => meeting,
        }
    }

    /// Another script, as our end sees it; the peer plays its counterpart.
    pub fn script(mut self, steps: &[Step]) -> Self {
        self.script = steps.to_vec();
        self
    }

    /// So many connections, one after the other.
    pub fn connections(mut self, count: usize) -> Self {
        self.connections = count;
        self
    }

    /// Lets them meet.
    ///
    /// # Errors
    /// When an end could not be set up; what TLS makes of the meeting is in the result.
    pub fn run(self) -> Result<Met, SetupError> {
        let steps: Vec<String> = self
            .script
            .iter()
            .filter_map(|step| step.for_peer())
            .collect();
        let (steps, count) = (steps.join(","), self.connections.to_string());
        let mut options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        options.extend(["--do", &steps, "--connections", &count]);

        let mut outcomes = Vec::new();
        let report = match &self.ours {
            Ours::Client(config) => {
                let (peer, port) = Peer::server(self.stack, &options)?;
                for _ in 0..self.connections {
                    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                    let name = ServerName::try_from(HOST)?;
                    let connection = ClientConnection::new(config.clone(), name)?;
                    outcomes.push(ours::run(
                        Connection::Client(connection),
                        socket,
                        &self.script,
                    ));
                }
                peer.finish()?
            }
            Ours::Server(config) => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                let peer = Peer::client(self.stack, listener.local_addr()?.port(), &options)?;
                for _ in 0..self.connections {
                    let Some(socket) = accept(&listener)? else {
                        break;
                    };
                    let connection = ServerConnection::new(config.clone())?;
                    outcomes.push(ours::run(
                        Connection::Server(connection),
                        socket,
                        &self.script,
                    ));
                }
                peer.finish()?
            }
        };
        Ok(Met {
            ours: outcomes,
            peer: report,
            connections: self.connections,
        })
    }
}

/// What both ends saw.
#[derive(Debug)]
pub struct Met {
    /// Our end, one for each connection.
    pub ours: Vec<Outcome>,
    /// The peer's end.
    pub peer: Report,
    connections: usize,
}

impl Met {
    /// Both ends did the whole script in each connection, and every byte arrived unchanged.
    ///
    /// # Errors
    /// Says what went otherwise, with all that both ends saw.
    pub fn succeeded(&self) -> Result<(), Unexpected> {
        let done = self
            .ours
            .iter()
            .filter(|outcome| outcome.result.is_ok())
            .count();
        self.check(done == self.connections, "our end did not finish")?;
        self.check(self.peer.succeeded(), "the peer did not finish")?;
        self.equal(
            "handshakes",
            self.peer.all("handshake").count(),
            self.connections,
        )?;

        let ours = |select: fn(&Outcome) -> &Vec<String>| -> Vec<&str> {
            self.ours
                .iter()
                .flat_map(select)
                .map(String::as_str)
                .collect()
        };
        let peer = |event| -> Vec<&str> {
            self.peer
                .all(event)
                .filter_map(|event| event.value("sm3"))
                .collect()
        };
        self.equal(
            "data to the peer",
            peer("received"),
            ours(|outcome| &outcome.sent),
        )?;
        self.equal(
            "data from the peer",
            ours(|outcome| &outcome.received),
            peer("sent"),
        )
    }

    /// Our end refused, for the right reason: its error is one that `reason` knows. The peer read this
    /// alert and gave up.
    ///
    /// # Errors
    /// Says what went otherwise, with all that both ends saw.
    pub fn we_refused(
        &self,
        alert: AlertDescription,
        reason: impl Fn(&rustls::Error) -> bool,
    ) -> Result<(), Unexpected> {
        let ours = matches!(self.failure(), Some(Failure::Tls(error)) if reason(error));
        self.check(ours, "our end did not refuse for this reason")?;
        self.check(!self.peer.succeeded(), "the peer finished")?;
        self.equal(
            "alert read by the peer",
            self.peer.alert_read(),
            Some(alert.into()),
        )
    }

    /// The peer refused with this alert; our end read it and gave up.
    ///
    /// # Errors
    /// Says what went otherwise, with all that both ends saw.
    pub fn peer_refused(&self, alert: AlertDescription) -> Result<(), Unexpected> {
        self.check(!self.peer.succeeded(), "the peer finished")?;
        self.equal(
            "alert written by the peer",
            self.peer.alert_written(),
            Some(alert.into()),
        )?;
        let read = match self.failure() {
            Some(Failure::Tls(rustls::Error::AlertReceived(read))) => Some(*read),
            _ => None,
        };
        self.equal("alert read by us", read, Some(alert))
    }

    /// Why our first connection ended early, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.ours.first()?.result.as_ref().err()
    }

    /// A value of each of the peer's `handshake` events is as given.
    ///
    /// # Errors
    /// Says what went otherwise, with all that both ends saw.
    pub fn peer_saw(&self, key: &str, expected: &[&str]) -> Result<(), Unexpected> {
        let seen: Vec<_> = self
            .peer
            .all("handshake")
            .map(|event| event.value(key).unwrap_or("(absent)"))
            .collect();
        self.equal(key, &seen[..], expected)
    }

    /// A value of each of our handshakes is as given.
    ///
    /// # Errors
    /// Says what went otherwise, with all that both ends saw.
    pub fn we_saw<T: PartialEq + fmt::Debug>(
        &self,
        what: &str,
        select: impl Fn(&ours::Handshake) -> T,
        expected: &[T],
    ) -> Result<(), Unexpected> {
        let seen: Vec<T> = self
            .ours
            .iter()
            .filter_map(|outcome| outcome.handshake.as_ref())
            .map(select)
            .collect();
        self.equal(what, &seen[..], expected)
    }

    /// The two values are the same.
    ///
    /// # Errors
    /// Says what they are, with all that both ends saw.
    pub fn equal<T: PartialEq + fmt::Debug>(
        &self,
        what: &str,
        seen: T,
        expected: T,
    ) -> Result<(), Unexpected> {
        self.check(
            seen == expected,
            &format!("{what} is {seen:?} instead of {expected:?}"),
        )
    }

    fn check(&self, good: bool, otherwise: &str) -> Result<(), Unexpected> {
        if good {
            return Ok(());
        }
        let mut message = format!("{otherwise}\n");
        for outcome in &self.ours {
            message.push_str(&match &outcome.result {
                Ok(()) => format!("ours: done, {:?}\n", outcome.handshake),
                Err(failure) => format!("ours: {failure}, {:?}\n", outcome.handshake),
            });
        }
        Err(Unexpected(format!("{message}peer: {}", self.peer)))
    }
}

/// A meeting went otherwise than it should have.
#[derive(Debug)]
pub struct Unexpected(String);

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unexpected {}

/// The next connection, or none if no one comes within half a minute: the peer's own report says
/// why. Reading from it fails after the same time.
///
/// # Errors
/// When the listener fails.
pub fn accept(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match listener.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(false)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                return Ok(Some(socket));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(None)
}

fn file(dir: &Path, name: &str) -> String {
    dir.join(name).to_string_lossy().into_owned()
}
