//! Keys that sign when they are let, and count.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

/// Where a signer waits, with the whole thread that it runs on.
#[derive(Debug)]
pub struct Gate {
    /// How long a signer waits before it fails.
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    inside: usize,
    most_inside: usize,
    signatures: usize,
}

impl Gate {
    pub fn closed(patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            patience,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub fn open(&self) {
        self.state.lock().unwrap().open = true;
        self.changed.notify_all();
    }

    /// Waits, as a task of the runtime, until so many signers stand at the gate, and ticks on a
    /// little, for which the runtime needs its worker.
    pub async fn reached_by(&self, signers: usize) {
        while self.state.lock().unwrap().inside < signers {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How many signatures were made.
    pub fn signatures(&self) -> usize {
        self.state.lock().unwrap().signatures
    }

    /// How many signers stood at the gate at once, at most.
    pub fn most_inside(&self) -> usize {
        self.state.lock().unwrap().most_inside
    }

    fn pass(&self) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        state.inside += 1;
        state.most_inside = state.most_inside.max(state.inside);
        let (mut state, waited) = self
            .changed
            .wait_timeout_while(state, self.patience, |state| !state.open)
            .unwrap();
        state.inside -= 1;
        if waited.timed_out() {
            return Err(Error::General("the gate stayed closed".into()));
        }
        state.signatures += 1;
        Ok(())
    }
}

/// The certificate with its key behind a gate.
pub fn gated(own: &CertifiedKey, gate: &Arc<Gate>) -> Arc<CertifiedKey> {
    let (key, gate) = (own.key.clone(), gate.clone());
    let key = Arc::new(GatedKey { key, gate });
    Arc::new(CertifiedKey::new(own.cert.clone(), key))
}

#[derive(Debug)]
struct GatedKey {
    key: Arc<dyn SigningKey>,
    gate: Arc<Gate>,
}

impl SigningKey for GatedKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.key.choose_scheme(offered)?;
        let gate = self.gate.clone();
        Some(Box::new(GatedSigner { signer, gate }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct GatedSigner {
    signer: Box<dyn Signer>,
    gate: Arc<Gate>,
}

impl Signer for GatedSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.gate.pass()?;
        self.signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}
