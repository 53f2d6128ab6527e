#!/usr/bin/env python3
"""Writes the edge cases of this folder, or with --check says whether the files are what it would write.

It needs nothing but Python, and knows nothing of the library: the answers are those of the model in generator/, which
must first give the examples of the standards."""

import pathlib
import sys

from generator import aead, sm2_agreement, sm2_decrypt, sm2_ecdh, sm2_verify, sm3_macs, sm4_cbc, standards

FILES = {
    "sm2_verify_test.json": sm2_verify.make,
    "sm2_encrypt_test.json": sm2_decrypt.make,
    "sm2_ecdh_test.json": sm2_ecdh.make,
    "sm2_key_agreement_test.json": sm2_agreement.make,
    "sm4_gcm_test.json": aead.make_gcm,
    "sm4_ccm_test.json": aead.make_ccm,
    "sm4_cbc_pkcs5_test.json": sm4_cbc.make,
    "hmac_sm3_test.json": sm3_macs.make_hmac,
    "hkdf_sm3_test.json": sm3_macs.make_hkdf,
}


def main():
    check = sys.argv[1:] == ["--check"]
    standards.check()
    folder = pathlib.Path(__file__).parent
    wrong = []
    for name, make in FILES.items():
        made = make()
        text, path = made.text(), folder / name
        print(f"{name}: {made.count} cases, {len(text)} bytes", flush=True)
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(name)
    if wrong:
        sys.exit(f"not what generate.py makes: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
