//! A server under load: so many clients at once shake hands with it, again and again, while one
//! that is connected sends something there and back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use super::clients::{Echo, EchoClient, shake_hands};
use super::server::Server;
use super::{Bank, Result};

pub use super::clients::{Ending, Handshake};

/// Clients at once.
pub const CLIENTS: usize = 64;

/// Workers of the clients' own runtime.
const CLIENT_WORKERS: usize = 2;

/// All that the clients saw.
pub struct Seen {
    /// In no order.
    pub handshakes: Vec<Handshake>,
    /// Why handshakes failed, as the server saw it, and how many.
    pub server_errors: BTreeMap<String, u64>,
    echoes: Vec<Echo>,
}

/// Loads the server for as long as `meanwhile` takes, and tells what was seen. `meanwhile` is shown
/// how many handshakes are complete so far.
///
/// # Errors
/// When the load cannot be set up, or the connected client lost its connection.
pub fn run<T>(bank: &Bank, meanwhile: impl FnOnce(&AtomicU64) -> T) -> Result<(Seen, T)> {
    let server = Server::start(bank)?;
    let echo = EchoClient::connect(server.address, bank.client.clone())?;
    let (stop, complete) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime
        .worker_threads(CLIENT_WORKERS)
        .enable_all()
        .build()?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (stop, complete) = (stop.clone(), complete.clone());
            runtime.spawn(shake_hands(
                server.address,
                bank.client.clone(),
                stop,
                complete,
            ))
        })
        .collect();

    let (done, echoes) = thread::scope(|scope| {
        let echoes = scope.spawn(|| echo.run(&stop));
        let done = meanwhile(&complete);
        stop.store(true, Ordering::Relaxed);
        (done, echoes.join())
    });
    let echoes = echoes.map_err(|_| "the echo panicked")??;
    let mut handshakes = Vec::new();
    for client in clients {
        handshakes.extend(runtime.block_on(client)?);
    }
    let seen = Seen {
        handshakes,
        server_errors: server.stop(),
        echoes,
    };
    Ok((seen, done))
}

impl Seen {
    /// Complete handshakes a second in a time that all of them lived through.
    pub fn rate(&self, from: Instant, to: Instant) -> f64 {
        let complete = self.handshakes.iter().filter(|handshake| {
            handshake.ending == Ending::Complete && (from..to).contains(&handshake.ended)
        });
        complete.count() as f64 / (to - from).as_secs_f64()
    }

    /// How many handshakes ended so.
    pub fn count(&self, ending: impl Fn(&Ending) -> bool) -> usize {
        let ended = |handshake: &&Handshake| ending(&handshake.ending);
        self.handshakes.iter().filter(ended).count()
    }

    /// The longest time that a handshake took, however it ended.
    pub fn longest(&self) -> Duration {
        let times = self.handshakes.iter().map(Handshake::lasted);
        times.max().unwrap_or_default()
    }

    /// The time in which this share of the round trips was done; `None` if there was none.
    pub fn echo_within(&self, share: f64, from: Instant, to: Instant) -> Option<Duration> {
        let inside = self.echoes.iter().filter(|(at, _)| (from..to).contains(at));
        let mut times: Vec<_> = inside.map(|(_, time)| *time).collect();
        times.sort();
        let last = times.len().checked_sub(1)?;
        times.get((last as f64 * share).round() as usize).copied()
    }
}
