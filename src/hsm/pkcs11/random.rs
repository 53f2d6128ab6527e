//! A token's random generator, as a source of entropy.

use std::fmt;

use super::pool::Pool;
use super::worker::Desk;
use crate::hsm::Error;
use crate::random::{EntropySource, MinEntropy, SourceError};

/// What C_GenerateRandom gives, for [`random::add_source`](crate::random::add_source).
///
/// A draw takes a session of the pool, with its deadline, retries and health. As long as the token is down,
/// the generators that must be seeded from it give nothing.
///
/// ```no_run
/// use std::sync::Arc;
/// use shangmi::hsm::pkcs11::{Options, Pool, TokenEntropy, Uri};
///
/// # let uri: Uri = "pkcs11:token=bank?module-path=/m.so&pin-source=file:/pin".parse()?;
/// let pool = Pool::open(&uri, Options::default())?;
/// shangmi::random::add_source(Arc::new(TokenEntropy::new(&pool)))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TokenEntropy {
    pool: Pool,
    name: String,
    claim: MinEntropy,
}

impl TokenEntropy {
    /// The generator of the pool's token. Half of what it gives counts as entropy; see
    /// [`with_min_entropy`](Self::with_min_entropy).
    pub fn new(pool: &Pool) -> Self {
        Self {
            pool: pool.clone(),
            name: format!("token {}", pool.token_label()),
            claim: MinEntropy::HALF,
        }
    }

    /// Counts as much of each byte as entropy as the device's documents say.
    #[must_use]
    pub fn with_min_entropy(mut self, claim: MinEntropy) -> Self {
        self.claim = claim;
        self
    }

    fn draw(&self, dst: &mut [u8]) -> Result<(), Error> {
        let len = dst.len();
        let work = move |desk: &mut Desk<'_>| {
            let bytes = desk.inside.raw().generate_random(desk.session, len);
            bytes.map_err(Error::from)
        };
        let task = || "give random bytes".into();
        let bytes = self.pool.shared().run(&task, work, Ok)?;
        dst.copy_from_slice(&bytes);
        Ok(())
    }
}

impl EntropySource for TokenEntropy {
    fn name(&self) -> &str {
        &self.name
    }

    fn min_entropy(&self) -> MinEntropy {
        self.claim
    }

    /// Fails with [`hsm::Error`](Error).
    fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
        Ok(self.draw(dst)?)
    }
}

impl fmt::Debug for TokenEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEntropy")
            .field("name", &self.name)
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}
