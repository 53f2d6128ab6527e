//! The known-answer tests of SM2: the examples of GB/T 32918.5-2017 and what no standard has an example
//! of. They run on the kernel in use, and on the arithmetic that the services run on.

use super::agreement::{Agreement, Peer, Role, agreed};
use super::curve::{Scalar, hex};
use super::encryption::{Format, encrypt_with, open};
use super::id::{digest_with_z, z_of};
use super::sign::{SigningSecrets, verifies};
use super::{DEFAULT_ID, PublicKey, SecretKey, Signature, ecdh};
use crate::arch::sm2::Kernel;
use crate::gate::{Algorithm, Answer, Answers, SelfTest};
use crate::secret::Secret;
use crate::sm3::self_test::PRE_OPERATIONAL;

pub(crate) static KEY_GENERATION: SelfTest = test(Algorithm::Sm2KeyGeneration, key_generation);
pub(crate) static SIGN: SelfTest = test(Algorithm::Sm2Sign, sign);
pub(crate) static VERIFY: SelfTest = test(Algorithm::Sm2Verify, verify);
pub(crate) static ECDH: SelfTest = test(Algorithm::Sm2Ecdh, shared_secret);
pub(crate) static AGREEMENT: SelfTest = test(Algorithm::Sm2Agreement, agreement);
pub(crate) static ENCRYPT: SelfTest = test(Algorithm::Sm2Encrypt, encrypt);
pub(crate) static DECRYPT: SelfTest = test(Algorithm::Sm2Decrypt, decrypt);

const fn test(algorithm: Algorithm, run: fn(&mut Answers) -> Answer) -> SelfTest {
    SelfTest::new(algorithm, &PRE_OPERATIONAL, kernel, run)
}

fn kernel() -> &'static str {
    Kernel::select().name()
}

/// d of GB/T 32918.5-2017, A.2 and C.2.
const D: [u8; 32] = hex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8");
/// \[d\]G.
const P: [u8; 65] = hex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020\
     ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
);
/// The nonce of both.
const K: [u8; 32] = hex("59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21");

/// GB/T 32918.5-2017, A.2.
const MESSAGE: &[u8] = b"message digest";
const E: [u8; 32] = hex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640");
const SIGNATURE: [u8; 64] = hex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3\
     b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
);

/// \[d\]G of GB/T 32918.5-2017, A.2; and the test of every new pair refuses one that is none.
fn key_generation(answers: &mut Answers) -> Answer {
    let key = secret("private key", &D)?;
    answers.equal("public key", key.public_key().as_sec1(), &P)?;
    answers.that("pair", key.is_pair_with(key.public_key()))?;
    let other = public("another key", &AGREEMENT_B.public)?;
    answers.that("another's public key", !key.is_pair_with(&other))
}

/// GB/T 32918.5-2017, A.2. Then a nonce as the module makes it, of 32 bytes 00, 01, .. for the random
/// ones: the answer is from Python's integers and HMAC with OpenSSL's SM3.
fn sign(answers: &mut Answers) -> Answer {
    const DERIVED: [u8; 64] = hex(
        "1138668a56f9157748ca42bb7e939d7ee816dc91d2bcb8ac4b50493d5cee8046\
         f09c348821245663ee4d8bae71d04601944133b9df687c66078f5dec92c18d7e",
    );
    let key = secret("private key", &D)?;
    let e = digest(key.public_key())?;
    answers.equal("e", &e, &E)?;
    let secrets = SigningSecrets::new(&key);
    let signature = secrets.sign_with(&e, &nonce()?).ok_or("signature")?;
    answers.equal("signature", &signature.to_bytes(), &SIGNATURE)?;

    let fresh = Secret::copy_of(&std::array::from_fn(|i| i as u8));
    let signature = secrets.attempt(&e, &fresh, 0).ok_or("derived nonce")?;
    answers.equal("derived nonce", &signature.to_bytes(), &DERIVED)
}

/// GB/T 32918.5-2017, A.2, with the key as it is and prepared; and the same with one bit altered.
fn verify(answers: &mut Answers) -> Answer {
    let key = public("public key", &P)?;
    let e = digest(&key)?;
    let mut altered = SIGNATURE;
    altered[63] ^= 1;
    let good = Signature::from_bytes(&SIGNATURE).map_err(|_| "signature")?;
    let altered = Signature::from_bytes(&altered).map_err(|_| "altered signature")?;

    let plain = |signature| {
        verifies(&e, signature, |u, v, x| {
            key.point().sum_has_x_vartime(u, v, x)
        })
    };
    answers.that("signature", plain(&good))?;
    answers.that("altered signature", !plain(&altered))?;
    let point = key.point().prepare_vartime();
    let prepared = |signature| verifies(&e, signature, |u, v, x| point.sum_has_x_vartime(u, v, x));
    answers.that("prepared key, signature", prepared(&good))?;
    answers.that("prepared key, altered signature", !prepared(&altered))
}

/// e of the example, for the key with this public key.
fn digest(key: &PublicKey) -> Result<[u8; 32], &'static str> {
    let z = z_of(DEFAULT_ID, key).map_err(|_| "Z")?;
    Ok(digest_with_z(&z, MESSAGE))
}

/// Of OpenSSL 3.0.19, EC_POINT_mul: no standard has an example of plain ECDH on this curve.
fn shared_secret(answers: &mut Answers) -> Answer {
    const D: [u8; 32] = hex("3845a137719a4393e1fe6b86162b37f3d1888d2a498687cd2c07161bdb96b5d3");
    const P: [u8; 65] = hex(
        "048cdbc48d85f7e5660abbf00229b82af99a38493f74c803f3eaf9eb8b486ced39\
         1c014669997f90a6e897d50447de5ff631ddead9ff3936b40f1bc3fc5056e158",
    );
    const X: [u8; 32] = hex("adb4ef07e6a20abc303a09e2f082852b49dfc72117912e91174036cf3f83bdeb");
    let (key, peer) = (secret("private key", &D)?, public("public key", &P)?);
    let x = ecdh::x_of_product(&key, &peer).map_err(|_| "x")?;
    answers.equal("x", x.as_bytes(), &X)
}

/// One side of the example in GB/T 32918.5-2017, B.2.
struct Side {
    secret: [u8; 32],
    public: [u8; 65],
    ephemeral: [u8; 32],
    ephemeral_public: [u8; 65],
}

const AGREEMENT_A: Side = Side {
    secret: hex("81eb26e941bb5af16df116495f90695272ae2cd63d6c4ae1678418be48230029"),
    public: hex(
        "04160e12897df4edb61dd812feb96748fbd3ccf4ffe26aa6f6db9540af49c94232\
         4a7dad08bb9a459531694beb20aa489d6649975e1bfcf8c4741b78b4b223007f",
    ),
    ephemeral: hex("d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3"),
    ephemeral_public: hex(
        "0464ced1bdbc99d590049b434d0fd73428cf608a5db8fe5ce07f15026940bae40e\
         376629c7ab21e7db260922499ddb118f07ce8eaae3e7720afef6a5cc062070c0",
    ),
};

const AGREEMENT_B: Side = Side {
    secret: hex("785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5"),
    public: hex(
        "046ae848c57c53c7b1b5fa99eb2286af078ba64c64591b8b566f7357d576f16dfb\
         ee489d771621a27b36c5c7992062e9cd09a9264386f3fbea54dff69305621c4d",
    ),
    ephemeral: hex("7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6"),
    ephemeral_public: hex(
        "04acc27688a6f7b706098bc91ff3ad1bff7dc2802cdb14ccccdb0a90471f9bd707\
         2fedac0494b2ffc4d6853876c79b8f301c6573ad0aa50f39fc87181e1a1b46fe",
    ),
};

/// GB/T 32918.5-2017, B.2: both sides, with S_A and S_B.
fn agreement(answers: &mut Answers) -> Answer {
    const KEY: [u8; 16] = hex("6c89347354de2484c60b4ab1fde4c6e5");
    const S_A: [u8; 32] = hex("18c7894b3816df16cf07b05c5ec0bef5d655d58f779cc1b400a4f3884644db88");
    const S_B: [u8; 32] = hex("d3a0fe15dee185ceae907a6b595cc32a266ed7b3367e9983a896dc32fa20f8eb");
    let agreed = agree(Role::Initiator, &AGREEMENT_A, &AGREEMENT_B)?;
    answers.equal("initiator, key", agreed.key(), &KEY)?;
    answers.equal("initiator, S_B", agreed.responder_confirmation(), &S_B)?;
    answers.equal("initiator, S_A", agreed.initiator_confirmation(), &S_A)?;
    let agreed = agree(Role::Responder, &AGREEMENT_B, &AGREEMENT_A)?;
    answers.equal("responder, key", agreed.key(), &KEY)?;
    answers.equal("responder, S_B", agreed.responder_confirmation(), &S_B)?;
    answers.equal("responder, S_A", agreed.initiator_confirmation(), &S_A)
}

fn agree(role: Role, own: &Side, other: &Side) -> Result<Agreement, &'static str> {
    let key = secret("private key", &own.secret)?;
    let ephemeral = secret("ephemeral private key", &own.ephemeral)?;
    let peer = Peer {
        id: DEFAULT_ID,
        public: &public("public key", &other.public)?,
        ephemeral: &public("ephemeral public key", &other.ephemeral_public)?,
    };
    agreed(&key, role, DEFAULT_ID, &ephemeral, peer, 16).map_err(|_| "agreement")
}

/// GB/T 32918.5-2017, C.2.
const PLAINTEXT: &[u8] = b"encryption standard";
/// C1 || C3 || C2.
const CIPHERTEXT: [u8; 116] = hex(
    "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73\
     e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0\
     59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766\
     21886ca989ca9c7d58087307ca93092d651efa",
);

/// GB/T 32918.5-2017, C.2.
fn encrypt(answers: &mut Answers) -> Answer {
    let key = public("public key", &P)?;
    let sealed = encrypt_with(&key, PLAINTEXT, &nonce()?, Format::C1C3C2);
    answers.equal("ciphertext", &sealed.ok_or("ciphertext")?, &CIPHERTEXT)
}

/// GB/T 32918.5-2017, C.2; and the same with one bit of C2 altered.
fn decrypt(answers: &mut Answers) -> Answer {
    let key = secret("private key", &D)?;
    let text = open(&key, &CIPHERTEXT, Format::C1C3C2).ok_or("plaintext")?;
    answers.equal("plaintext", &text, PLAINTEXT)?;
    let mut altered = CIPHERTEXT;
    altered[115] ^= 1;
    let refused = open(&key, &altered, Format::C1C3C2).is_none();
    answers.that("altered ciphertext", refused)
}

fn nonce() -> Result<Scalar, &'static str> {
    Scalar::nonzero(&K).ok_or("nonce")
}

fn secret(check: &'static str, d: &[u8; 32]) -> Result<SecretKey, &'static str> {
    SecretKey::derive(d).map_err(|_| check)
}

fn public(check: &'static str, encoded: &[u8; 65]) -> Result<PublicKey, &'static str> {
    PublicKey::from_sec1(encoded).map_err(|_| check)
}
