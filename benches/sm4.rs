//! SM4: a key's making, and every mode at the lengths that records have.

use cipher::consts::U16;
use cipher::inout::InOutBuf;
use cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, StreamCipher};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shangmi::sm4::{AeadInOut, KeyInit, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm};

const KEY: [u8; 16] = [7; 16];
const IV: [u8; 16] = [1; 16];
const NONCE: [u8; 12] = [1; 12];

fn sm4(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sm4 key");
    group.bench_function("gcm", |b| b.iter(|| Sm4Gcm::new(&KEY.into())));
    group.bench_function("ccm", |b| b.iter(|| Sm4Ccm::new(&KEY.into())));
    group.finish();

    let (gcm, ccm) = (Sm4Gcm::new(&KEY.into()), Sm4Ccm::new(&KEY.into()));
    let mut group = criterion.benchmark_group("sm4");
    for len in [16usize, 64, 256, 1360, 16 * 1024] {
        let mut data = vec![0x5a; len];
        let mut measure = |name, work: &mut dyn FnMut(&mut [u8])| {
            group.throughput(Throughput::Bytes(len as u64));
            group.bench_function(BenchmarkId::new(name, len), |b| b.iter(|| work(&mut data)));
        };
        measure("gcm", &mut |data| {
            gcm.encrypt_inout_detached(&NONCE.into(), b"", data.into())
                .unwrap();
        });
        measure("ccm", &mut |data| {
            ccm.encrypt_inout_detached(&NONCE.into(), b"", data.into())
                .unwrap();
        });
        measure("ctr", &mut |data| {
            Sm4Ctr::new(&KEY.into(), &IV.into()).apply_keystream(data);
        });
        measure("cbc encryption", &mut |data| {
            let (blocks, _) = InOutBuf::from(data).into_chunks::<U16>();
            Sm4CbcEncryptor::new(&KEY.into(), &IV.into()).encrypt_blocks_inout(blocks);
        });
        measure("cbc decryption", &mut |data| {
            let (blocks, _) = InOutBuf::from(data).into_chunks::<U16>();
            Sm4CbcDecryptor::new(&KEY.into(), &IV.into()).decrypt_blocks_inout(blocks);
        });
    }
    group.finish();
}

criterion_group!(benches, sm4);
criterion_main!(benches);
