//! What services are approved, and how a caller sees which ones he used.

use super::*;
use crate::sm3;

#[test]
fn services_and_approvals() {
    let gm = |service: &&Service| service.is_gm();
    // Each has a name of its own, and a reason.
    for (i, service) in Service::ALL.iter().enumerate() {
        let others = &Service::ALL[i + 1..];
        assert!(others.iter().all(|other| other.name() != service.name()));
        assert!(!service.basis().is_empty());
        // FIPS is for a provider below to say.
        assert_ne!(service.approval(), Approval::Fips);
    }
    assert!(Service::ALL.iter().filter(gm).count() > 15);
    for service in [
        Service::Sm4GcmSeal,
        Service::HmacSm3ShortKey,
        Service::Aes256Gcm,
    ] {
        assert_eq!(service.approval(), Approval::None, "{service}");
    }

    // A set is approved only if all of it is.
    let all_gm = Services::NONE.with(Service::Sm3).with(Service::Sm2Sign);
    assert_eq!(all_gm.approval(), Approval::Gm);
    assert_eq!(all_gm.with(Service::Sha256).approval(), Approval::None);
    assert_eq!(Services::NONE.approval(), Approval::None);
    let both: Vec<_> = all_gm.iter().collect();
    assert_eq!(both, [Service::Sm3, Service::Sm2Sign]);
}

#[test]
fn who_observes_sees_his_own_calls() {
    let ((), outer) = observe(|| {
        _ = sm3::digest(b"a");
        let (_, inner) = observe(|| sm3::HmacSm3::keyed(&[7; 32]).tag(&[]));
        assert_eq!(inner, Services::NONE.with(Service::HmacSm3));
        let (_, nothing) = observe(|| ());
        assert_eq!(nothing, Services::NONE);
        let elsewhere = std::thread::spawn(|| sm3::HmacSm3::keyed(b"short").tag(&[]));
        _ = elsewhere.join().unwrap();
    });
    assert_eq!(
        outer,
        Services::NONE.with(Service::Sm3).with(Service::HmacSm3)
    );
}
