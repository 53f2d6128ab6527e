//! Keys in Kryoptic, a second PKCS#11 module that others wrote: ECDSA and RSA, through full TLS
//! handshakes.
//!
//! The module is built here when it is missing, with the system's OpenSSL and SQLite.
#![cfg(all(feature = "pkcs11", feature = "international"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use rustls::SignatureScheme;
use shangmi::hsm::pkcs11::KeyKind;

use common::token::{Module, P256, P384};
use common::token_pool::WRONG_PIN;

const KRYOPTIC: Module = Module {
    path: module,
    variable: "KRYOPTIC_CONF",
    configuration: |tokens| {
        let file = tokens.join("token.sql");
        format!(
            "[[slots]]\nslot = 7\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n",
            file.display()
        )
    },
};

/// Kryoptic has CKA_EC_POINT of CKK_EC keys in an OCTET STRING and refuses to store it bare: its
/// setting `ec_point_encoding` is for Edwards and Montgomery curves. The bare one is in
/// tests/hsm_softhsm.rs.
#[test]
fn ecdsa_p256_signs_handshakes() {
    KRYOPTIC.isolated("ecdsa_p256_signs_handshakes", || {
        let token = KRYOPTIC.token();
        token.generate_ec("key", &[1], P256);
        assert_eq!(token.ec_point()[..3], [0x04, 65, 0x04]);
        let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
        KRYOPTIC.mutual_handshake(KeyKind::EcdsaP256, &[scheme]);
    });
}

#[test]
fn ecdsa_p384_signs_handshakes() {
    KRYOPTIC.isolated("ecdsa_p384_signs_handshakes", || {
        let token = KRYOPTIC.token();
        token.generate_ec("key", &[1], P384);
        assert_eq!(token.ec_point()[..3], [0x04, 97, 0x04]);
        let scheme = SignatureScheme::ECDSA_NISTP384_SHA384;
        KRYOPTIC.mutual_handshake(KeyKind::EcdsaP384, &[scheme]);
    });
}

#[test]
fn rsa_signs_handshakes() {
    KRYOPTIC.isolated("rsa_signs_handshakes", || {
        KRYOPTIC.token().generate_rsa("key", &[1], 2048);
        KRYOPTIC.mutual_handshake(
            KeyKind::Rsa,
            &[
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PSS_SHA512,
            ],
        );
    });
}

#[test]
fn threads_share_sessions() {
    KRYOPTIC.isolated("threads_share_sessions", || {
        KRYOPTIC.threads_share_sessions()
    });
}

#[test]
fn fork_is_refused() {
    KRYOPTIC.isolated("fork_is_refused", || KRYOPTIC.fork_is_refused());
}

#[test]
fn finalized_by_someone_else() {
    KRYOPTIC.isolated("finalized_by_someone_else", || {
        KRYOPTIC.finalized_by_someone_else()
    });
}

#[test]
fn wrong_pin_is_sent_once() {
    KRYOPTIC.isolated("wrong_pin_is_sent_once", || {
        KRYOPTIC.wrong_pin_is_sent_once(|token| {
            // Kryoptic locks after ten tries, and says so when three are left.
            let wrong = AuthPin::new(WRONG_PIN.into());
            for tries in 2..=7 {
                assert!(!token.info().user_pin_count_low());
                let refused = token.session.login(UserType::User, Some(&wrong));
                refused.unwrap_err();
                assert_eq!(token.info().user_pin_count_low(), tries == 7);
            }
        });
    });
}

// ---- Kryoptic ----

fn module() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

/// Cargo builds it once, and looks whether that is still so.
fn build() -> PathBuf {
    if let Some(chosen) = env::var_os("KRYOPTIC_MODULE") {
        return chosen.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = root.join(target).join("peers/kryoptic");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "-p", "kryoptic"])
        .arg("--manifest-path")
        .arg(root.join("interop/kryoptic/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .output()
        .unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "Kryoptic was not built; interop/tools installs what it needs (libclang-dev, libssl-dev, \
         libsqlite3-dev, pkg-config):\n{complained}"
    );
    target.join("debug/libkryoptic_pkcs11.so")
}
