//! The envelope that certificates and requests share: SEQUENCE { content, algorithm, signature }.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader};
use spki::{AlgorithmIdentifier, AlgorithmIdentifierRef};

use super::error::{Error, Item, SignatureFault};
use crate::sm2::{self, PublicKey, SignDigest, Signature};

/// The longest certificate or request that is read, in bytes.
pub(super) const MAX_SIGNED: usize = 64 * 1024;

/// SM2 with SM3 as we write it: parameters absent.
pub(crate) const SM2_WITH_SM3: AlgorithmIdentifierRef<'static> = AlgorithmIdentifier {
    oid: sm2::SIGN_WITH_SM3_OID,
    parameters: None,
};

/// A signed item, split but not yet understood.
pub(super) struct Signed<'a> {
    /// The DER of what is signed, as it stands in the input.
    pub(super) content: &'a [u8],
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    signature: &'a [u8],
    item: Item,
}

impl<'a> Signed<'a> {
    /// Splits strict DER without trailing bytes.
    pub(super) fn parse(der: &'a [u8], item: Item) -> Result<Self, Error> {
        if der.len() > MAX_SIGNED {
            return Err(Error::TooLarge {
                item,
                limit: MAX_SIGNED,
            });
        }
        let split = || {
            let mut reader = SliceReader::new(der)?;
            let parts = reader.sequence(|body| {
                let content = body.tlv_bytes()?;
                let algorithm = AlgorithmIdentifierRef::decode(body)?;
                let signature = BitStringRef::decode(body)?;
                Ok::<_, der::Error>((content, algorithm, signature))
            })?;
            reader.finish()?;
            let (content, algorithm, signature) = parts;
            let signature = signature
                .as_bytes()
                .ok_or_else(|| der::Tag::BitString.value_error())?;
            Ok(Self {
                content,
                algorithm,
                signature,
                item,
            })
        };
        split().map_err(item.malformed())
    }

    /// Verifies the signature under `key` with the signer ID `id`; finds out what went wrong.
    pub(super) fn verify(&self, key: &PublicKey, id: &[u8]) -> Result<(), Error> {
        let item = self.item;
        if !is_sm2_with_sm3(&self.algorithm) {
            return Err(Error::SignatureAlgorithm {
                item,
                algorithm: self.algorithm.oid,
            });
        }
        let Ok(signature) = Signature::from_der(self.signature) else {
            return Err(Error::BadSignature {
                item,
                fault: SignatureFault::Encoding,
            });
        };
        let verifies = |id: &[u8]| verify(key, id, self.content, &signature);
        if verifies(id)? {
            return Ok(());
        }
        let fault = if verifies(b"")? {
            SignatureFault::EmptyId
        } else if verifies(sm2::TLS13_ID)? {
            SignatureFault::Tls13Id
        } else {
            SignatureFault::Mismatch
        };
        Err(Error::BadSignature { item, fault })
    }
}

/// Signs `content`, a DER value, and puts it into its envelope.
///
/// The signature is verified before it leaves: a token may answer with another key.
pub(super) fn sign(
    content: &[u8],
    key: &dyn SignDigest,
    id: &[u8],
    item: Item,
) -> Result<Vec<u8>, Error> {
    let e = sm2::message_digest(id, key.public_key(), content).map_err(Error::Signer)?;
    let signature = key.sign_digest(&e).map_err(Error::Signer)?;
    if !verify(key.public_key(), id, content, &signature)? {
        return Err(Error::SignerMismatch);
    }
    envelope(content, SM2_WITH_SM3, &signature.to_der(), item)
}

/// Puts `content`, a DER value, and its signature together.
pub(super) fn envelope(
    content: &[u8],
    algorithm: AlgorithmIdentifierRef<'_>,
    signature: &[u8],
    item: Item,
) -> Result<Vec<u8>, Error> {
    let encode = || {
        Envelope {
            content: AnyRef::from_der(content)?,
            algorithm,
            signature: BitStringRef::from_bytes(signature)?,
        }
        .to_der()
    };
    encode().map_err(item.malformed())
}

/// Whether this is SM2 with SM3, with parameters absent or NULL (CFCA writes NULL).
fn is_sm2_with_sm3(algorithm: &AlgorithmIdentifierRef<'_>) -> bool {
    algorithm.oid == sm2::SIGN_WITH_SM3_OID
        && algorithm
            .parameters
            .is_none_or(|parameters| parameters.is_null())
}

fn verify(
    key: &PublicKey,
    id: &[u8],
    content: &[u8],
    signature: &Signature,
) -> Result<bool, Error> {
    let verified =
        sm2::message_digest(id, key, content).and_then(|e| sm2::verify_digest(key, &e, signature));
    match verified {
        Err(sm2::Error::Module(error)) => Err(Error::Module(error)),
        verified => Ok(verified.is_ok()),
    }
}

#[derive(Sequence)]
struct Envelope<'a> {
    content: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}
