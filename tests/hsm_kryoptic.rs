//! Keys in Kryoptic, a second PKCS#11 module that others wrote: public keys in both encodings of
//! CKA_EC_POINT, and full TLS handshakes.
//!
//! The module is built here when it is missing, with the system's OpenSSL and SQLite.
#![cfg(all(feature = "pkcs11", feature = "international"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::object::{Attribute, AttributeType};
use rustls::SignatureScheme;
use shangmi::hsm::pkcs11::KeyKind;

use common::token::{Module, P256, P384};

const KRYOPTIC: Module = Module {
    path: module,
    variable: "KRYOPTIC_CONF",
    configuration: configuration_with_bare_points,
};

/// As PKCS#11 before 3.0 was mostly read: the point inside an OCTET STRING.
const KRYOPTIC_DER: Module = Module {
    configuration: |tokens| configuration(tokens, "Der"),
    ..KRYOPTIC
};

#[test]
fn bare_ec_points_sign_p256_handshakes() {
    KRYOPTIC.isolated("bare_ec_points_sign_p256_handshakes", || {
        let token = KRYOPTIC.token();
        token.generate_ec("key", &[1], P256);
        assert_eq!(point(&token)[..1], [0x04]);
        assert_eq!(point(&token).len(), 65);
        p256_handshake(&KRYOPTIC);
    });
}

#[test]
fn wrapped_ec_points_sign_p256_handshakes() {
    KRYOPTIC_DER.isolated("wrapped_ec_points_sign_p256_handshakes", || {
        let token = KRYOPTIC_DER.token();
        token.generate_ec("key", &[1], P256);
        assert_eq!(point(&token)[..3], [0x04, 65, 0x04]);
        p256_handshake(&KRYOPTIC_DER);
    });
}

#[test]
fn bare_ec_points_sign_p384_handshakes() {
    KRYOPTIC.isolated("bare_ec_points_sign_p384_handshakes", || {
        let token = KRYOPTIC.token();
        token.generate_ec("key", &[1], P384);
        assert_eq!(point(&token).len(), 97);
        p384_handshake(&KRYOPTIC);
    });
}

#[test]
fn wrapped_ec_points_sign_p384_handshakes() {
    KRYOPTIC_DER.isolated("wrapped_ec_points_sign_p384_handshakes", || {
        let token = KRYOPTIC_DER.token();
        token.generate_ec("key", &[1], P384);
        assert_eq!(point(&token)[..3], [0x04, 97, 0x04]);
        p384_handshake(&KRYOPTIC_DER);
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

fn p256_handshake(module: &Module) {
    module.mutual_handshake(
        KeyKind::EcdsaP256,
        &[SignatureScheme::ECDSA_NISTP256_SHA256],
    );
}

fn p384_handshake(module: &Module) {
    module.mutual_handshake(
        KeyKind::EcdsaP384,
        &[SignatureScheme::ECDSA_NISTP384_SHA384],
    );
}

/// CKA_EC_POINT of the token's only public key, as the module gives it.
fn point(token: &common::token::Token) -> Vec<u8> {
    let session = &token.session;
    let class = Attribute::Class(cryptoki::object::ObjectClass::PUBLIC_KEY);
    let public = session.find_objects(&[class]).unwrap()[0];
    let found = session.get_attributes(public, &[AttributeType::EcPoint]);
    let [Attribute::EcPoint(point)] = &found.unwrap()[..] else {
        panic!("no CKA_EC_POINT");
    };
    point.clone()
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
        KRYOPTIC.wrong_pin_is_sent_once()
    });
}

// ---- Kryoptic ----

fn configuration_with_bare_points(tokens: &Path) -> String {
    configuration(tokens, "Bytes")
}

fn configuration(tokens: &Path, encoding: &str) -> String {
    format!(
        "[ec_point_encoding]\nencoding = \"{encoding}\"\n\
         [[slots]]\nslot = 7\ndbtype = \"sqlite\"\ndbargs = \"{}/token.sql\"\n",
        tokens.display()
    )
}

/// Cargo builds it once, and looks whether that is still so.
fn module() -> PathBuf {
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
