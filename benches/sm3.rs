//! SM3 at the lengths that TLS hashes, and what is made of it.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shangmi::sm3::{self, HkdfSm3, HmacSm3};

fn sm3(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sm3");
    for len in [0, 64, 1024, 16 * 1024] {
        let data = vec![0x5a; len];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new("digest", len), |b| {
            b.iter(|| sm3::digest(&data))
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sm3 keyed");
    group.bench_function("hmac of 32 B", |b| {
        b.iter(|| HmacSm3::keyed(&[0x5a; 32]).tag(&[&[1; 32]]));
    });
    group.bench_function("hkdf to 16 B", |b| {
        let hkdf = HkdfSm3::from_prk(&[0x5a; 32]);
        b.iter(|| {
            let mut okm = [0; 16];
            hkdf.expand(&[b"info"], &mut okm).unwrap();
            okm
        });
    });
    group.finish();
}

criterion_group!(benches, sm3);
criterion_main!(benches);
