//! SM2, operation by operation.

use criterion::{Criterion, criterion_group, criterion_main};
use shangmi::random::SystemRandom;
use shangmi::sm2::encryption::{Decrypt, Format, encrypt};
use shangmi::sm2::{DEFAULT_ID, PublicKey, SecretKey, Signer, SigningKey, Verifier, ecdh};

fn sm2(criterion: &mut Criterion) {
    let secret = || SecretKey::from_bytes(&[0x5a; 32]).unwrap();
    let key = SigningKey::new(secret(), DEFAULT_ID).unwrap();
    let signature = key.try_sign(b"message").unwrap();
    let public = secret().public_key().to_sec1();
    let ciphertext = encrypt(
        secret().public_key(),
        b"message",
        Format::C1C3C2,
        &mut SystemRandom,
    )
    .unwrap();

    let mut group = criterion.benchmark_group("sm2");
    group.bench_function("generate", |b| {
        b.iter(|| SecretKey::generate(&mut SystemRandom).unwrap())
    });
    group.bench_function("read public key", |b| {
        b.iter(|| PublicKey::from_sec1(&public).unwrap())
    });
    group.bench_function("sign", |b| b.iter(|| key.try_sign(b"message").unwrap()));
    group.bench_function("verify", |b| {
        b.iter(|| key.verifying_key().verify(b"message", &signature).unwrap());
    });
    group.bench_function("ecdh", |b| {
        let (secret, peer) = (secret(), PublicKey::from_sec1(&public).unwrap());
        b.iter(|| ecdh::shared_secret(&secret, &peer).unwrap());
    });
    group.bench_function("decrypt", |b| {
        let secret = secret();
        b.iter(|| secret.decrypt(&ciphertext, Format::C1C3C2).unwrap());
    });
    group.finish();
}

criterion_group!(benches, sm2);
criterion_main!(benches);
