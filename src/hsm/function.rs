//! PKCS#11 functions by name.

use cryptoki::context::Function;

macro_rules! names {
    ($($name:ident),* $(,)?) => {
        /// The function's name in the standard, such as `C_Sign`.
        pub(super) fn name(function: Function) -> &'static str {
            match function {
                $(Function::$name => concat!("C_", stringify!($name)),)*
            }
        }
    };
}

names! {
    Initialize, Finalize, GetInfo, GetFunctionList, GetSlotList, GetSlotInfo, GetTokenInfo,
    GetMechanismList, GetMechanismInfo, InitToken, InitPIN, SetPIN, OpenSession, CloseSession,
    CloseAllSessions, GetSessionInfo, GetOperationState, SetOperationState, Login, Logout,
    CreateObject, CopyObject, DestroyObject, GetObjectSize, GetAttributeValue, SetAttributeValue,
    FindObjectsInit, FindObjects, FindObjectsFinal, EncryptInit, Encrypt, EncryptUpdate,
    EncryptFinal, DecryptInit, Decrypt, DecryptUpdate, DecryptFinal, DigestInit, Digest,
    DigestUpdate, DigestKey, DigestFinal, SignInit, Sign, SignUpdate, SignFinal, SignRecoverInit,
    SignRecover, VerifyInit, Verify, VerifyUpdate, VerifyFinal, VerifyRecoverInit, VerifyRecover,
    DigestEncryptUpdate, DecryptDigestUpdate, SignEncryptUpdate, DecryptVerifyUpdate,
    GenerateKey, GenerateKeyPair, WrapKey, UnwrapKey, DeriveKey, SeedRandom, GenerateRandom,
    GetFunctionStatus, CancelFunction, WaitForSlotEvent, GetInterfaceList, GetInterface,
    LoginUser, SessionCancel, MessageEncryptInit, EncryptMessage, EncryptMessageBegin,
    EncryptMessageNext, MessageEncryptFinal, MessageDecryptInit, DecryptMessage,
    DecryptMessageBegin, DecryptMessageNext, MessageDecryptFinal, MessageSignInit, SignMessage,
    SignMessageBegin, SignMessageNext, MessageSignFinal, MessageVerifyInit, VerifyMessage,
    VerifyMessageBegin, VerifyMessageNext, MessageVerifyFinal, EncapsulateKey, DecapsulateKey,
    VerifySignatureInit, VerifySignature, VerifySignatureUpdate, VerifySignatureFinal,
    GetSessionValidationFlags, AsyncComplete, AsyncGetID, AsyncJoin, WrapKeyAuthenticated,
    UnwrapKeyAuthenticated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_the_names_of_the_standard() {
        assert_eq!(name(Function::GetTokenInfo), "C_GetTokenInfo");
        assert_eq!(name(Function::FindObjectsInit), "C_FindObjectsInit");
    }
}
