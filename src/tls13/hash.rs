//! Transcript hashes: any `digest::Digest` as rustls sees it.
//!
//! rustls takes no error from a hash. In the module's error state it gets zeros: the handshake then fails
//! at its next random bytes, key exchange, signature or record, none of which can be had.

use std::marker::PhantomData;

use digest::Digest;
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};

use crate::gate::{self, Service, within};
use crate::sm3::Sm3;
use crate::sm3::self_test::SM3;

/// A hash function with its gate.
pub(super) trait Transcript: Digest + Clone + Send + Sync + 'static {
    /// Lets a digest be given.
    fn enter() -> Result<(), gate::Error>;
}

impl Transcript for Sm3 {
    fn enter() -> Result<(), gate::Error> {
        SM3.enter(Service::Sm3)
    }
}

/// A hash function under its TLS `HashAlgorithm` number.
pub(super) struct TranscriptHash<D> {
    algorithm: HashAlgorithm,
    digest: PhantomData<fn() -> D>,
}

impl<D> TranscriptHash<D> {
    pub(super) const fn new(algorithm: HashAlgorithm) -> Self {
        Self {
            algorithm,
            digest: PhantomData,
        }
    }
}

impl<D: Transcript> Hash for TranscriptHash<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        output::<D>(|| D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }
}

fn output<D: Transcript>(finish: impl FnOnce() -> digest::Output<D>) -> Output {
    Output::new(&match D::enter() {
        Ok(()) => within(finish),
        Err(_) => digest::Output::<D>::default(),
    })
}

struct Running<D>(D);

impl<D: Transcript> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        output::<D>(|| self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        output::<D>(|| self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}
