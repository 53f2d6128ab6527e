//! The ways to RustCrypto's algorithms, which lead through `tls13::mixed`.

use p256::pkcs8::EncodePrivateKey;
use pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{NamedGroup, SignatureScheme};

use super::entries::{Call, Entry, Refusal, call, comes_out, entry, mute};
use super::handshakes::{World, client_answers, opens, seals, server_answers, whole};
use crate::gate::{Algorithm, Algorithm as A, Service, Service as S};
use crate::module::international::{RSA_KEY, RSA_MESSAGE, RSA_PKCS1_SIGNATURE, RSA_PSS_SIGNATURE};
use crate::tls13;

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "TLS_AES_256_GCM_SHA384",
        &[S::Aes256Gcm, S::Sha384, S::HkdfSha2, S::HmacSha2, S::X25519],
        &[A::AesGcm, A::Sha384, A::HkdfSha2, A::HmacSha2, A::X25519],
        || whole(&AES_256),
    ),
    entry(
        "TLS_AES_128_GCM_SHA256",
        &[
            S::Aes128Gcm,
            S::Sha256,
            S::HkdfSha2,
            S::HmacSha2,
            S::EcdhP256,
        ],
        &[A::AesGcm, A::Sha256, A::HkdfSha2, A::HmacSha2, A::EcdhP256],
        || whole(&AES_128),
    ),
    entry("a server's answer, AES", AES, GCM, || {
        server_answers(&AES_128)
    }),
    entry("a client's answer, AES", AES, GCM, || {
        client_answers(&AES_128)
    }),
    entry("sealing of a record, AES", AES, GCM, || seals(&AES_128)),
    entry("opening of a record, AES", AES, GCM, || opens(&AES_128)),
    entry("ECDSA P-256", &[S::EcdsaSign], &[A::EcdsaP256], || {
        signs(
            p256::SecretKey::from_slice(&[7; 32])?
                .to_pkcs8_der()?
                .as_bytes(),
        )
    }),
    entry("ECDSA P-384", &[S::EcdsaSign], &[A::EcdsaP384], || {
        signs(
            p384::SecretKey::from_slice(&[7; 48])?
                .to_pkcs8_der()?
                .as_bytes(),
        )
    }),
    entry(
        "ECDSA P-256, verification",
        &[S::EcdsaVerify],
        &[A::EcdsaP256],
        || {
            use p256::ecdsa::{Signature, SigningKey, signature::Signer};
            let key = SigningKey::from_slice(&[7; 32])?;
            let signature: Signature = key.sign(b"message");
            let point = key.verifying_key().to_sec1_point(false);
            let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
            verifies(
                scheme,
                point.as_bytes(),
                b"message",
                signature.to_der().as_bytes(),
            )
        },
    ),
    entry(
        "ECDSA P-384, verification",
        &[S::EcdsaVerify],
        &[A::EcdsaP384],
        || {
            use p384::ecdsa::{Signature, SigningKey, signature::Signer};
            let key = SigningKey::from_slice(&[7; 48])?;
            let signature: Signature = key.sign(b"message");
            let point = key.verifying_key().to_sec1_point(false);
            let scheme = SignatureScheme::ECDSA_NISTP384_SHA384;
            verifies(
                scheme,
                point.as_bytes(),
                b"message",
                signature.to_der().as_bytes(),
            )
        },
    ),
    entry("RSA PSS", &[S::RsaVerify], &[A::Rsa], || {
        let scheme = SignatureScheme::RSA_PSS_SHA256;
        verifies(scheme, &RSA_KEY, RSA_MESSAGE, &RSA_PSS_SIGNATURE)
    }),
    entry("RSA PKCS #1", &[S::RsaVerify], &[A::Rsa], || {
        let scheme = SignatureScheme::RSA_PKCS1_SHA256;
        verifies(scheme, &RSA_KEY, RSA_MESSAGE, &RSA_PKCS1_SIGNATURE)
    }),
];

const AES: &[Service] = &[S::Aes128Gcm];
const GCM: &[Algorithm] = &[A::AesGcm];

const AES_256: World = World {
    provider: tls13::sm_and_international,
    suite: 2,
    group: NamedGroup::X25519,
};

const AES_128: World = World {
    suite: 3,
    group: NamedGroup::secp256r1,
    ..AES_256
};

fn signs(pkcs8: &[u8]) -> Result<Call, Refusal> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
    let keys = tls13::sm_and_international().key_provider;
    let key = keys.load_private_key(key)?;
    call(move || {
        let offered = [
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
        ];
        let signer = key.choose_scheme(&offered).unwrap();
        comes_out(&signer.sign(b"message")?)
    })
}

fn verifies(
    scheme: SignatureScheme,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<Call, Refusal> {
    let algorithms = tls13::sm_and_international().signature_verification_algorithms;
    let (_, algorithms) = algorithms
        .mapping
        .iter()
        .find(|(s, _)| *s == scheme)
        .unwrap();
    let algorithm = algorithms[0];
    let [key, message, signature] = [key, message, signature].map(<[u8]>::to_vec);
    call(move || {
        let verified = algorithm.verify_signature(&key, &message, &signature);
        verified.map_err(mute)
    })
}
