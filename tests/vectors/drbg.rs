//! The random bit generators on SM3 and SM4.

use serde::Deserialize;
use shangmi::random::{CtrDrbg, CtrDrbgSm4, Drbg, HashDrbgGm, HashDrbgSm3, HmacDrbgSm3};
use shangmi::sm4::Sm4;

use crate::case::{Hex, Outcome, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    mechanism: String,
    entropy: Hex,
    nonce: Hex,
    personalization: Hex,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "lowercase", deny_unknown_fields)]
enum Operation {
    Reseed {
        entropy: Hex,
        additional: Hex,
    },
    Generate {
        /// With prediction resistance.
        entropy: Option<Hex>,
        additional: Hex,
        out: Hex,
    },
}

pub(crate) fn answers(case: &Case, _valid: bool) -> Outcome {
    match case.mechanism.as_str() {
        "Hash_DRBG-SM3" => run::<HashDrbgSm3>(case),
        "SM3 generator of GM/T 0105" => run::<HashDrbgGm>(case),
        "HMAC_DRBG-SM3" => run::<HmacDrbgSm3>(case),
        "CTR_DRBG-SM4" => run::<CtrDrbgSm4>(case),
        "CTR_DRBG-SM4 without df" => run::<CtrDrbg<Sm4, false>>(case),
        mechanism => panic!("no generator called {mechanism}"),
    }
}

fn run<D: Drbg>(case: &Case) -> Outcome {
    let mut drbg = D::instantiate(&case.entropy, &case.nonce, &case.personalization)?;
    for operation in &case.operations {
        match operation {
            Operation::Reseed {
                entropy,
                additional,
            } => drbg.reseed(entropy, additional)?,
            Operation::Generate {
                entropy,
                additional,
                out,
            } => {
                let mut found = vec![0; out.len()];
                match entropy {
                    Some(entropy) => drbg.generate_reseeded(entropy, &mut found, additional)?,
                    None => drbg.generate(&mut found, additional)?,
                }
                same(&found, out, "output")?;
            }
        }
    }
    Ok(())
}
