//! Operations that leak.

use cipher::{BlockCipherEncrypt, KeyInit};

use crate::{Output, Subject};

/// The operations that are not constant-time, which each test must catch.
pub const CONTROLS: &[Subject] = &[
    Subject {
        name: "control: comparison that ends at the first difference",
        secret_len: 256,
        run: early_exit,
        output: Output::Secret,
    },
    Subject {
        name: "control: SM4 of RustCrypto, whose S-box is a table",
        secret_len: 16,
        run: table_sm4,
        output: Output::Secret,
    },
];

fn early_exit(secret: &[u8]) -> Vec<u8> {
    let guess = crate::fixed_secret(secret.len());
    let mut same = 0;
    for (a, b) in secret.iter().zip(&guess) {
        if std::hint::black_box(a != b) {
            break;
        }
        same += 1;
    }
    vec![same]
}

fn table_sm4(secret: &[u8]) -> Vec<u8> {
    let mut key = [0; 16];
    key.copy_from_slice(secret);
    let mut block = [0; 16].into();
    sm4_rustcrypto::Sm4::new(&key.into()).encrypt_block(&mut block);
    block.to_vec()
}
