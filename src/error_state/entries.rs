//! The ways into the module: every service, by each type that leads to it.

use std::error::Error;

use aead::AeadInOut;
use cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit,
    StreamCipher,
};
use digest::{Digest, KeyInit, Mac};
use rand_core::TryRng;
use serde_json::Value;
use signature::hazmat::{PrehashSigner, PrehashVerifier};
use signature::{Signer, Verifier};

use crate::gate::{Algorithm, Algorithm as A, Service, Service as S};
use crate::random::{CtrDrbgSm4, Drbg, DrbgRng, HashDrbg, HashDrbgSm3, HmacDrbgSm3, SystemRandom};
use crate::sm2::agreement::{Agree, Peer, Role};
use crate::sm2::encryption::{self, Decrypt, Format};
use crate::sm2::hazmat::{encrypt_with_nonce, sign_digest_with_nonce};
use crate::sm2::{self, PublicKey, SecretKey, SignDigest};
use crate::sm3::{self, HkdfSm3, HmacSm3, Sm3};
use crate::sm4::{Sm4, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm, Sm4GcmSealer};

/// A way into the module.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// What it uses.
    pub(super) services: &'static [Service],
    /// Whose tests must have passed after it.
    pub(super) tests: &'static [Algorithm],
    /// Makes what the call needs.
    pub(super) prepare: fn() -> Result<Call, Refusal>,
}

pub(super) type Call = Box<dyn FnOnce() -> Result<(), Refusal>>;

/// How nothing comes out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// With an error that says why.
    Says(String),
    /// With an error that the ecosystem has left no room in, or with zeros.
    Mute,
}

impl<E: Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        Self::Says(text)
    }
}

/// For errors that cannot say why.
pub(super) fn mute<E>(_: E) -> Refusal {
    Refusal::Mute
}

pub(super) fn call(work: impl FnOnce() -> Result<(), Refusal> + 'static) -> Result<Call, Refusal> {
    Ok(Box::new(work))
}

/// The first case of a file of vectors.
struct Vector(Value);

impl Vector {
    fn of(file: &str) -> Self {
        let file: Value = serde_json::from_str(file).unwrap();
        Self(file["cases"][0].clone())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let digits = self.0[name].as_str().unwrap().as_bytes();
        let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }
}

macro_rules! vector {
    ($name:literal) => {
        Vector::of(include_str!(concat!("../../vectors/", $name, ".json")))
    };
}

fn secret_key() -> Result<SecretKey, Refusal> {
    Ok(SecretKey::from_bytes(&vector!("sm2_sign").array("d"))?)
}

fn public_key() -> Result<PublicKey, Refusal> {
    Ok(PublicKey::from_sec1(&vector!("sm2_sign").bytes("p"))?)
}

fn sm2_signature() -> Result<sm2::Signature, Refusal> {
    Ok(sm2::Signature::from_der(&vector!("sm2_sign").bytes("der"))?)
}

fn verifying_key() -> Result<sm2::VerifyingKey, Refusal> {
    Ok(sm2::VerifyingKey::new(public_key()?, sm2::DEFAULT_ID)?)
}

/// Whether these features have it.
pub(super) fn is_here(service: Service) -> bool {
    use Service::*;
    match service {
        Aes128Gcm | Aes256Gcm | Sha256 | Sha384 | HmacSha2 | HkdfSha2 | EcdsaSign | EcdsaVerify
        | EcdhP256 | X25519 | RsaVerify => cfg!(feature = "international"),
        _ => true,
    }
}

/// Whether no service is this algorithm's, but all rest on it.
pub(super) fn is_below_others(algorithm: Algorithm) -> bool {
    matches!(algorithm, A::Integrity)
}

pub(super) const fn entry(
    name: &'static str,
    services: &'static [Service],
    tests: &'static [Algorithm],
    prepare: fn() -> Result<Call, Refusal>,
) -> Entry {
    Entry {
        name,
        services,
        tests,
        prepare,
    }
}

/// All but those through TLS.
pub(super) static SM: &[Entry] = &[
    entry("sm3::digest", &[S::Sm3], &[A::Sm3], || {
        call(|| comes_out(&sm3::digest(b"abc")))
    }),
    entry("Sm3", &[S::Sm3], &[A::Sm3], || {
        let hash = Sm3::new_with_prefix(b"abc");
        call(|| comes_out(&hash.finalize()))
    }),
    entry("Sm3, reset", &[S::Sm3], &[A::Sm3], || {
        let mut hash = Sm3::new_with_prefix(b"abc");
        call(move || comes_out(&hash.finalize_reset()))
    }),
    entry("HmacSm3::tag", &[S::HmacSm3], &[A::HmacSm3], || {
        let mac = HmacSm3::keyed(&[7; 32]);
        call(|| comes_out(mac.tag(&[b"abc"]).as_bytes()))
    }),
    entry("HmacSm3", &[S::HmacSm3], &[A::HmacSm3], || {
        let mac = <HmacSm3 as KeyInit>::new_from_slice(&[7; 32])?.chain_update(b"abc");
        call(|| comes_out(&mac.finalize().into_bytes()))
    }),
    entry(
        "HmacSm3, a short key",
        &[S::HmacSm3ShortKey],
        &[A::HmacSm3],
        || {
            let mac = HmacSm3::keyed(&[7; 13]);
            call(|| comes_out(mac.tag(&[b"abc"]).as_bytes()))
        },
    ),
    entry("HkdfSm3", &[S::HkdfSm3], &[A::HkdfSm3], || {
        let hkdf = HkdfSm3::extract(None, b"secret");
        call(move || {
            let mut okm = [0; 42];
            hkdf.expand(&[b"info"], &mut okm)?;
            comes_out(&okm)
        })
    }),
    entry("Sm4, encryption", &[S::Sm4Ecb], &[A::Sm4], || {
        let cipher = Sm4::new(&[7; 16].into());
        call(move || {
            let mut block = [0; 16].into();
            cipher.encrypt_block(&mut block);
            comes_out(&block)
        })
    }),
    entry("Sm4, decryption", &[S::Sm4Ecb], &[A::Sm4], || {
        let cipher = Sm4::new(&[7; 16].into());
        call(move || {
            let mut block = [0; 16].into();
            cipher.decrypt_block(&mut block);
            comes_out(&block)
        })
    }),
    entry("SM4-CBC, encryption", &[S::Sm4Cbc], &[A::Sm4Cbc], || {
        let mut mode = Sm4CbcEncryptor::new(&[7; 16].into(), &[8; 16].into());
        call(move || {
            let mut block = [0; 16].into();
            mode.encrypt_block(&mut block);
            comes_out(&block)
        })
    }),
    entry("SM4-CBC, decryption", &[S::Sm4Cbc], &[A::Sm4Cbc], || {
        let mut mode = Sm4CbcDecryptor::new(&[7; 16].into(), &[8; 16].into());
        call(move || {
            let mut block = [0; 16].into();
            mode.decrypt_block(&mut block);
            comes_out(&block)
        })
    }),
    entry("SM4-CTR", &[S::Sm4Ctr], &[A::Sm4Ctr], || {
        let mut mode = Sm4Ctr::new(&[7; 16].into(), &[8; 16].into());
        call(move || {
            let mut text = [0; 20];
            mode.apply_keystream(&mut text);
            comes_out(&text)
        })
    }),
    entry(
        "SM4-CTR, the rest of a block",
        &[S::Sm4Ctr],
        &[A::Sm4Ctr],
        || {
            let mut mode = Sm4Ctr::new(&[7; 16].into(), &[8; 16].into());
            mode.try_apply_keystream(&mut [0; 4]).map_err(mute)?;
            call(move || {
                let mut text = [0; 4];
                mode.try_apply_keystream(&mut text).map_err(mute)?;
                comes_out(&text)
            })
        },
    ),
    entry("SM4-GCM, sealing", &[S::Sm4GcmSeal], &[A::Sm4Gcm], || {
        let cipher = Sm4Gcm::new(&[7; 16].into());
        call(move || seal(&cipher))
    }),
    entry("SM4-GCM, opening", &[S::Sm4GcmOpen], &[A::Sm4Gcm], || {
        let vector = vector!("sm4_gcm");
        let cipher = Sm4Gcm::new(&vector.array("key").into());
        call(move || open(&cipher, &vector))
    }),
    entry("SM4-CCM, sealing", &[S::Sm4CcmSeal], &[A::Sm4Ccm], || {
        let cipher = Sm4Ccm::new(&[7; 16].into());
        call(move || seal(&cipher))
    }),
    entry("SM4-CCM, opening", &[S::Sm4CcmOpen], &[A::Sm4Ccm], || {
        let vector = vector!("sm4_ccm");
        let cipher = Sm4Ccm::new(&vector.array("key").into());
        call(move || open(&cipher, &vector))
    }),
    entry(
        "SystemRandom",
        &[S::Random],
        &[A::CtrDrbg, A::Entropy],
        || {
            call(|| {
                let mut bytes = [0; 32];
                SystemRandom.try_fill_bytes(&mut bytes)?;
                comes_out(&bytes)
            })
        },
    ),
    entry(
        "Sm4GcmSealer",
        &[S::Sm4GcmSealOwnNonce, S::Random],
        &[A::Sm4Gcm, A::CtrDrbg, A::Entropy],
        || {
            let sealer = Sm4GcmSealer::new(&[7; 16]);
            call(move || comes_out(&sealer.seal(&mut SystemRandom, b"", b"text")?))
        },
    ),
    entry(
        "Sm4GcmSealer, opening",
        &[S::Sm4GcmOpen],
        &[A::Sm4Gcm],
        || {
            let vector = vector!("sm4_gcm");
            let sealer = Sm4GcmSealer::new(&vector.array("key"));
            let sealed = ["iv", "ciphertext", "tag"]
                .map(|name| vector.bytes(name))
                .concat();
            call(move || comes_out(&sealer.open(&vector.bytes("aad"), &sealed).map_err(mute)?))
        },
    ),
    entry(
        "DrbgRng, CTR_DRBG",
        &[S::Random],
        &[A::CtrDrbg, A::Entropy],
        draws::<CtrDrbgSm4>,
    ),
    entry(
        "DrbgRng, Hash_DRBG",
        &[S::Random],
        &[A::HashDrbg, A::Entropy],
        draws::<HashDrbgSm3>,
    ),
    entry(
        "DrbgRng, HMAC_DRBG",
        &[S::Random],
        &[A::HmacDrbg, A::Entropy],
        draws::<HmacDrbgSm3>,
    ),
    entry(
        "DrbgRng, another hash",
        &[S::RandomOther],
        &[A::Entropy],
        draws::<HashDrbg<::sm3::Sm3>>,
    ),
    entry("CTR_DRBG alone", &[], &[A::Sm4], generates::<CtrDrbgSm4>),
    entry("Hash_DRBG alone", &[], &[A::Sm3], generates::<HashDrbgSm3>),
    entry(
        "HMAC_DRBG alone",
        &[],
        &[A::HmacSm3],
        generates::<HmacDrbgSm3>,
    ),
    entry(
        "SM2 key generation",
        &[S::Sm2KeyGeneration, S::Random],
        &[A::Sm2KeyGeneration, A::CtrDrbg, A::Entropy],
        || {
            call(|| {
                let key = SecretKey::generate(&mut SystemRandom)?;
                comes_out(key.public_key().as_sec1())
            })
        },
    ),
    entry("sm2::SigningKey", &[S::Sm2Sign], &[A::Sm2Sign], || {
        let key = sm2::SigningKey::new(secret_key()?, sm2::DEFAULT_ID)?;
        call(move || comes_out(&key.try_sign(b"message")?.to_bytes()))
    }),
    entry(
        "sm2::SigningKey, a digest",
        &[S::Sm2Sign],
        &[A::Sm2Sign],
        || {
            let key = sm2::SigningKey::new(secret_key()?, sm2::DEFAULT_ID)?;
            call(move || comes_out(&key.sign_prehash(&[7; 32])?.to_bytes()))
        },
    ),
    entry(
        "sm2::SecretKey, a digest",
        &[S::Sm2Sign],
        &[A::Sm2Sign],
        || {
            let key = secret_key()?;
            call(move || comes_out(&key.sign_digest(&[7; 32])?.to_bytes()))
        },
    ),
    entry(
        "sm2::sign_digest_with_nonce",
        &[S::Sm2Sign],
        &[A::Sm2Sign],
        || {
            let (key, vector) = (secret_key()?, vector!("sm2_sign"));
            call(move || {
                let (e, k) = (vector.array("e"), vector.array("k"));
                comes_out(&sign_digest_with_nonce(&key, &e, &k)?.to_bytes())
            })
        },
    ),
    entry(
        "sm2::VerifyingKey",
        &[S::Sm2Verify],
        &[A::Sm2Verify],
        || {
            let (key, signature) = (verifying_key()?, sm2_signature()?);
            call(move || Ok(key.verify(b"message digest", &signature)?))
        },
    ),
    entry(
        "sm2::VerifyingKey, a digest",
        &[S::Sm2Verify],
        &[A::Sm2Verify],
        || {
            let (key, signature) = (verifying_key()?, sm2_signature()?);
            call(move || Ok(key.verify_prehash(&vector!("sm2_sign").bytes("e"), &signature)?))
        },
    ),
    entry(
        "sm2::PreparedVerifyingKey",
        &[S::Sm2Verify],
        &[A::Sm2Verify],
        || {
            let (key, signature) = (verifying_key()?.prepare(), sm2_signature()?);
            call(move || Ok(key.verify(b"message digest", &signature)?))
        },
    ),
    entry(
        "sm2::PreparedVerifyingKey, a digest",
        &[S::Sm2Verify],
        &[A::Sm2Verify],
        || {
            let (key, signature) = (verifying_key()?.prepare(), sm2_signature()?);
            call(move || Ok(key.verify_prehash(&vector!("sm2_sign").bytes("e"), &signature)?))
        },
    ),
    entry(
        "sm2::verify_digest",
        &[S::Sm2Verify],
        &[A::Sm2Verify],
        || {
            let (key, signature) = (public_key()?, sm2_signature()?);
            call(move || {
                Ok(sm2::verify_digest(
                    &key,
                    &vector!("sm2_sign").array("e"),
                    &signature,
                )?)
            })
        },
    ),
    entry("sm2::ecdh", &[S::Sm2Ecdh], &[A::Sm2Ecdh], || {
        let (secret, public) = (secret_key()?, public_key()?);
        call(move || comes_out(sm2::ecdh::shared_secret(&secret, &public)?.as_bytes()))
    }),
    entry(
        "SM2 key agreement",
        &[S::Sm2Agreement],
        &[A::Sm2Agreement],
        || {
            let (secret, ephemeral, public) = (secret_key()?, secret_key()?, public_key()?);
            call(move || {
                let peer = Peer {
                    id: sm2::DEFAULT_ID,
                    public: &public,
                    ephemeral: &public,
                };
                let agreed =
                    secret.agree(Role::Initiator, sm2::DEFAULT_ID, &ephemeral, peer, 16)?;
                comes_out(agreed.key())
            })
        },
    ),
    entry(
        "sm2::encrypt",
        &[S::Sm2Encrypt, S::Random],
        &[A::Sm2Encrypt, A::CtrDrbg, A::Entropy],
        || {
            let key = public_key()?;
            call(move || {
                comes_out(&encryption::encrypt(
                    &key,
                    b"text",
                    Format::Asn1,
                    &mut SystemRandom,
                )?)
            })
        },
    ),
    entry(
        "sm2::encrypt_with_nonce",
        &[S::Sm2Encrypt],
        &[A::Sm2Encrypt],
        || {
            let key = public_key()?;
            call(move || {
                let k = vector!("sm2_encrypt").array("k");
                comes_out(&encrypt_with_nonce(&key, b"text", &k, Format::Asn1)?)
            })
        },
    ),
    entry("SM2 decryption", &[S::Sm2Decrypt], &[A::Sm2Decrypt], || {
        let key = secret_key()?;
        call(move || {
            let text = key.decrypt(&vector!("sm2_encrypt").bytes("asn1"), Format::Asn1)?;
            comes_out(text.as_bytes())
        })
    }),
];

fn draws<D: Drbg + 'static>() -> Result<Call, Refusal> {
    let mut rng = DrbgRng::<D>::new(b"")?;
    call(move || {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes, b"")?;
        comes_out(&bytes)
    })
}

fn generates<D: Drbg + 'static>() -> Result<Call, Refusal> {
    let mut drbg = D::instantiate(&[7; 32], &[8; 16], b"")?;
    call(move || {
        let mut bytes = [0; 32];
        drbg.generate(&mut bytes, b"")?;
        comes_out(&bytes)
    })
}

fn seal(cipher: &impl AeadInOut) -> Result<(), Refusal> {
    let mut text = [0; 20];
    cipher
        .encrypt_inout_detached(&Default::default(), b"", text.as_mut_slice().into())
        .map_err(mute)?;
    comes_out(&text)
}

fn open(cipher: &impl AeadInOut, vector: &Vector) -> Result<(), Refusal> {
    let [nonce, aad, mut text, tag] =
        ["iv", "aad", "ciphertext", "tag"].map(|name| vector.bytes(name));
    let (nonce, tag) = (nonce[..].try_into()?, tag[..].try_into()?);
    cipher
        .decrypt_inout_detached(nonce, &aad, text.as_mut_slice().into(), tag)
        .map_err(mute)?;
    assert_eq!(text, vector.bytes("plaintext"));
    Ok(())
}

/// Something, or zeros, which stand for nothing where the type leaves no room for an error.
pub(super) fn comes_out(bytes: &[u8]) -> Result<(), Refusal> {
    match bytes.iter().any(|byte| *byte != 0) {
        true => Ok(()),
        false => Err(Refusal::Mute),
    }
}
