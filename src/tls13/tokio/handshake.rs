//! A handshake driven by hand, so that the step that signs can be done by another thread.

use std::io;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ::tokio::sync::Semaphore;
use ::tokio::{task, time};
use rustls::{ConnectionCommon, ContentType, SideData};

/// The alert `internal_error`, fatal, in a record without protection (RFC 8446, 5.1 and 6).
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// How long a handshake may take, and how many of them may hold a blocking thread at once.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) timeout: Duration,
    at_once: Arc<Semaphore>,
}

impl Limits {
    pub(super) fn set_at_once(&mut self, count: usize) {
        let count = count.clamp(1, Semaphore::MAX_PERMITS);
        self.at_once = Arc::new(Semaphore::new(count));
    }

    /// Gives up when the time is over.
    pub(super) async fn in_time<T>(
        &self,
        handshake: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let late = |_| {
            let reason = format!("the TLS handshake took longer than {:?}", self.timeout);
            Err(io::Error::new(io::ErrorKind::TimedOut, reason))
        };
        time::timeout(self.timeout, handshake)
            .await
            .unwrap_or_else(late)
    }

    /// Does `work` on a blocking thread, when there is one to have.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let turn = self.at_once.clone().acquire_owned().await;
        let work = move || {
            // Kept to the end of the work, also when nobody waits for it any more.
            let _turn = turn;
            work()
        };
        task::spawn_blocking(work).await.map_err(io::Error::other)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            at_once: Arc::new(Semaphore::new(64)),
        }
    }
}

/// Brings a handshake to its end; with `signs`, what the peer sent is worked on by other threads.
pub(super) async fn complete<IO, C, D>(
    io: &mut IO,
    mut connection: C,
    signs: Option<&Limits>,
) -> io::Result<C>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    C: DerefMut<Target = ConnectionCommon<D>> + Send + 'static,
    D: SideData,
{
    let mut received = vec![0; 8 * 1024];
    loop {
        let queued = written(&mut connection)?;
        io.write_all(&queued).await?;
        io.flush().await?;
        if !connection.is_handshaking() {
            return Ok(connection);
        }

        let len = io.read(&mut received).await?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let work = move || {
            let result = process(&mut connection, received.get(..len).unwrap_or_default());
            (connection, received, result)
        };
        let result;
        (connection, received, result) = match signs {
            Some(limits) => limits.run(work).await?,
            None => work(),
        };
        if let Err(error) = result {
            let queued = written(&mut connection)?;
            return Err(refuse(io, queued, error).await);
        }
    }
}

fn process<D: SideData>(
    connection: &mut ConnectionCommon<D>,
    mut received: &[u8],
) -> Result<(), rustls::Error> {
    while !received.is_empty() {
        let len = connection
            .read_tls(&mut received)
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        // After its close_notify the peer has nothing to say.
        if len == 0 {
            break;
        }
        connection.process_new_packets()?;
    }
    Ok(())
}

/// Takes what is to be sent.
fn written<D: SideData>(connection: &mut ConnectionCommon<D>) -> io::Result<Vec<u8>> {
    let mut queued = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut queued)?;
    }
    Ok(queued)
}

/// Ends a handshake that failed: sends what rustls has queued, if that ends with an alert.
///
/// rustls has none where its own end fails, as when a key does not sign. Then nothing of ours went
/// out under traffic keys yet, and nothing queued needs to: a server's alert stands in place of
/// ServerHello, a client's in place of its second flight, where peers accept it unprotected.
pub(super) async fn refuse<IO>(io: &mut IO, mut queued: Vec<u8>, error: rustls::Error) -> io::Error
where
    IO: AsyncWrite + Unpin,
{
    if own_fault(&error) && !ends_with_alert(&queued) {
        queued = INTERNAL_ERROR.into();
    }
    // Should the alert not get through, the first error is still the one to tell.
    let sent = async {
        io.write_all(&queued).await?;
        io.flush().await
    };
    if let Err(error) = sent.await {
        tracing::debug!(%error, "the alert was not sent");
    }
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Whether this end failed, and not the peer.
fn own_fault(error: &rustls::Error) -> bool {
    use rustls::Error::{
        EncryptError, FailedToGetCurrentTime, FailedToGetRandomBytes, General, Other,
    };
    matches!(
        error,
        General(_) | Other(_) | FailedToGetRandomBytes | FailedToGetCurrentTime | EncryptError
    )
}

/// Whether the last record is an alert. What is protected is one too: with an error, rustls queues
/// nothing else under keys.
fn ends_with_alert(records: &[u8]) -> bool {
    let mut rest = records;
    let mut last = None;
    while let [kind, _, _, high, low, ..] = rest {
        last = Some(ContentType::from(*kind));
        let len = 5 + usize::from(u16::from_be_bytes([*high, *low]));
        rest = rest.get(len..).unwrap_or_default();
    }
    matches!(
        last,
        Some(ContentType::Alert | ContentType::ApplicationData)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_alert_at_the_end() {
        let server_hello = [22, 3, 3, 0, 3, 2, 0, 0];
        let change_cipher_spec = [20, 3, 3, 0, 1, 1];
        let protected = [23, 3, 3, 0, 4, 1, 2, 3, 4];
        assert!(!ends_with_alert(&[]));
        assert!(!ends_with_alert(&[21, 3]));
        assert!(!ends_with_alert(
            &[&server_hello[..], &change_cipher_spec].concat()
        ));
        assert!(ends_with_alert(&INTERNAL_ERROR));
        assert!(ends_with_alert(
            &[&server_hello[..], &change_cipher_spec, &protected].concat()
        ));
    }
}
