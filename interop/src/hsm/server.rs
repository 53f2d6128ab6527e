//! The server under load: two workers of tokio, our acceptor, an echo on each connection.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::OtherError;
use shangmi::hsm::Error;
use shangmi::tls13::tokio::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use super::{Bank, Result};

/// What the server says first, when a client's certificate and signature have been verified.
pub(super) const WELCOME: u8 = b'.';

const WORKERS: usize = 2;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    runtime: Runtime,
    errors: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Server {
    pub(super) fn start(bank: &Bank) -> Result<Self> {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(WORKERS).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let acceptor = Acceptor::from(bank.server.clone());
        let errors = Arc::<Mutex<BTreeMap<String, u64>>>::default();
        let counted = errors.clone();
        runtime.spawn(async move {
            loop {
                let Ok((tcp, _)) = listener.accept().await else {
                    continue;
                };
                let (acceptor, errors) = (acceptor.clone(), counted.clone());
                tokio::spawn(async move {
                    if let Err(error) = serve(&acceptor, tcp).await {
                        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
                        *errors.entry(reason(&error)).or_default() += 1;
                    }
                });
            }
        });
        Ok(Self {
            address,
            runtime,
            errors,
        })
    }

    /// Ends it, and tells why handshakes failed, and how many.
    pub(super) fn stop(self) -> BTreeMap<String, u64> {
        self.runtime.shutdown_background();
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.clone()
    }
}

/// What the HSM floor says, if it is its error, without how long the token has been down.
fn reason(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(rustls::Error::Other(OtherError(inner))) = inner else {
        return error.to_string();
    };
    match inner.downcast_ref() {
        Some(Error::Down { .. }) => "refused while the token is down".into(),
        Some(inner) => inner.to_string(),
        None => error.to_string(),
    }
}

/// A handshake, whose error counts, and then an echo for as long as the client likes.
async fn serve(acceptor: &Acceptor, tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut stream = acceptor.accept(tcp).await?;
    let mut buffer = [0; 64];
    let mut answer = &[WELCOME][..];
    while stream.write_all(answer).await.is_ok() && stream.flush().await.is_ok() {
        answer = match stream.read(&mut buffer).await {
            Ok(len @ 1..) => buffer.get(..len).unwrap_or_default(),
            _ => break,
        };
    }
    Ok(())
}
