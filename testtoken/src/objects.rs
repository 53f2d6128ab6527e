//! Objects: their attributes, the rules for making them and reading them.

use crate::{Profile, Result, sm2};
use ::sm2::dsa::SigningKey;
use cryptoki_sys::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Attribute values by type, as they cross the C boundary.
pub(crate) type Attributes = BTreeMap<CK_ATTRIBUTE_TYPE, Vec<u8>>;

/// One object; the secret of a private key is not among its attributes.
pub(crate) struct Object {
    attributes: Attributes,
    secret: Option<Arc<SigningKey>>,
    /// The session that a session object dies with.
    pub(crate) session: Option<CK_SESSION_HANDLE>,
}

impl Object {
    /// `C_CreateObject`.
    pub(crate) fn create(template: Attributes, profile: Profile) -> Result<Self> {
        refuse_unknown(&template, profile)?;
        match number_of(&template, CKA_CLASS)? {
            CKO_PRIVATE_KEY => Self::import_private(template, profile),
            CKO_PUBLIC_KEY => {
                require_sm2(&template, profile)?;
                let point = template.get(&CKA_EC_POINT).ok_or(CKR_TEMPLATE_INCOMPLETE)?;
                if point.len() != 67 || point[..3] != [0x04, 65, 0x04] {
                    return Err(CKR_ATTRIBUTE_VALUE_INVALID);
                }
                Ok(Self::plain(with_defaults(
                    template,
                    &[(CKA_PRIVATE, false)],
                )))
            }
            CKO_CERTIFICATE => {
                require_x509(&template)?;
                Ok(Self::plain(with_defaults(
                    template,
                    &[(CKA_PRIVATE, false)],
                )))
            }
            CKO_DATA => Ok(Self::plain(with_defaults(
                template,
                &[(CKA_PRIVATE, false)],
            ))),
            _ => Err(CKR_ATTRIBUTE_VALUE_INVALID),
        }
    }

    /// `C_GenerateKeyPair`: the public and the private object.
    pub(crate) fn generate_pair(
        public: Attributes,
        private: Attributes,
        profile: Profile,
    ) -> Result<(Self, Self)> {
        refuse_unknown(&public, profile)?;
        refuse_unknown(&private, profile)?;
        require_kind(&public, CKO_PUBLIC_KEY, profile)?;
        require_kind(&private, CKO_PRIVATE_KEY, profile)?;
        match public.get(&CKA_EC_PARAMS) {
            None => return Err(CKR_TEMPLATE_INCOMPLETE),
            Some(params) if **params == sm2::EC_PARAMS => {}
            Some(_) => return Err(CKR_ATTRIBUTE_VALUE_INVALID),
        }
        // Luna takes the curve from the public template alone.
        if private.contains_key(&CKA_EC_PARAMS) || private.contains_key(&CKA_VALUE) {
            return Err(CKR_TEMPLATE_INCONSISTENT);
        }
        Self::pair(public, private, sm2::generate()?, profile)
    }

    /// The public and the private object of a key that is the token's own.
    pub(crate) fn pair(
        public: Attributes,
        private: Attributes,
        secret: SigningKey,
        profile: Profile,
    ) -> Result<(Self, Self)> {
        let public = key_attributes(public, CKO_PUBLIC_KEY, &secret, profile);
        let public = with_defaults(
            public,
            &[(CKA_PRIVATE, false), (CKA_VERIFY, true), (CKA_LOCAL, true)],
        );
        let private = key_attributes(private, CKO_PRIVATE_KEY, &secret, profile);
        let private = with_defaults(private, &PRIVATE_KEY_DEFAULTS);
        let private = with_defaults(
            private,
            &[
                (CKA_LOCAL, true),
                (CKA_ALWAYS_SENSITIVE, true),
                (CKA_NEVER_EXTRACTABLE, true),
            ],
        );
        Ok((Self::plain(public), Self::private(private, secret)?))
    }

    /// A data object of the module's own.
    pub(crate) fn data(label: &str, value: Vec<u8>) -> Self {
        let mut attributes = Attributes::from([
            (CKA_CLASS, CKO_DATA.to_ne_bytes().to_vec()),
            (CKA_LABEL, label.as_bytes().to_vec()),
            (CKA_VALUE, value),
        ]);
        attributes = with_defaults(attributes, &[(CKA_TOKEN, true), (CKA_PRIVATE, false)]);
        Self::plain(attributes)
    }

    /// Whether the object is hidden until the user logs in.
    pub(crate) fn is_private(&self) -> bool {
        self.flag(CKA_PRIVATE)
    }

    /// Whether the object outlives the session that made it.
    pub(crate) fn is_token(&self) -> bool {
        self.flag(CKA_TOKEN)
    }

    pub(crate) fn matches(&self, template: &Attributes) -> bool {
        template
            .iter()
            .all(|(kind, value)| self.attributes.get(kind) == Some(value))
    }

    /// The value of an attribute, or the code that says why there is none.
    pub(crate) fn attribute(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<&[u8]> {
        match self.attributes.get(&kind) {
            Some(value) => Ok(value),
            None if kind == CKA_VALUE && self.secret.is_some() => Err(CKR_ATTRIBUTE_SENSITIVE),
            None => Err(CKR_ATTRIBUTE_TYPE_INVALID),
        }
    }

    /// The key that `C_SignInit` may use.
    pub(crate) fn signing_key(&self) -> Result<Arc<SigningKey>> {
        match &self.secret {
            None => Err(CKR_KEY_TYPE_INCONSISTENT),
            Some(_) if !self.flag(CKA_SIGN) => Err(CKR_KEY_FUNCTION_NOT_PERMITTED),
            Some(secret) => Ok(secret.clone()),
        }
    }

    pub(crate) fn is_labelled(&self, label: &str) -> bool {
        self.attributes.get(&CKA_LABEL).map(Vec::as_slice) == Some(label.as_bytes())
    }

    pub(crate) fn is_key(&self) -> bool {
        self.attributes.contains_key(&CKA_KEY_TYPE)
    }

    /// Puts values in place of others.
    pub(crate) fn set(&mut self, values: Attributes) {
        self.attributes.extend(values);
    }

    fn import_private(mut template: Attributes, profile: Profile) -> Result<Self> {
        require_sm2(&template, profile)?;
        let value = template.remove(&CKA_VALUE).ok_or(CKR_TEMPLATE_INCOMPLETE)?;
        let secret = sm2::import(&value)?;
        if template
            .get(&CKA_EC_POINT)
            .is_some_and(|point| *point != sm2::ec_point(&secret))
        {
            return Err(CKR_TEMPLATE_INCONSISTENT);
        }
        let attributes = key_attributes(template, CKO_PRIVATE_KEY, &secret, profile);
        let attributes = with_defaults(attributes, &PRIVATE_KEY_DEFAULTS);
        let attributes = with_defaults(
            attributes,
            &[
                (CKA_LOCAL, false),
                (CKA_ALWAYS_SENSITIVE, false),
                (CKA_NEVER_EXTRACTABLE, false),
            ],
        );
        Self::private(attributes, secret)
    }

    fn private(attributes: Attributes, secret: SigningKey) -> Result<Self> {
        let object = Self {
            attributes,
            secret: Some(Arc::new(secret)),
            session: None,
        };
        // A private key never leaves this token, nor may it be public.
        if object.flag(CKA_EXTRACTABLE) || !object.flag(CKA_SENSITIVE) || !object.is_private() {
            return Err(CKR_TEMPLATE_INCONSISTENT);
        }
        Ok(object)
    }

    fn plain(attributes: Attributes) -> Self {
        Self {
            attributes,
            secret: None,
            session: None,
        }
    }

    fn flag(&self, kind: CK_ATTRIBUTE_TYPE) -> bool {
        self.attributes
            .get(&kind)
            .is_some_and(|value| value[..] == [CK_TRUE])
    }
}

const PRIVATE_KEY_DEFAULTS: [(CK_ATTRIBUTE_TYPE, bool); 4] = [
    (CKA_PRIVATE, true),
    (CKA_SENSITIVE, true),
    (CKA_EXTRACTABLE, false),
    (CKA_SIGN, true),
];

fn refuse_unknown(template: &Attributes, profile: Profile) -> Result<()> {
    match template.keys().all(|kind| profile.knows(*kind)) {
        true => Ok(()),
        false => Err(CKR_ATTRIBUTE_TYPE_INVALID),
    }
}

/// A template of `C_GenerateKeyPair` need not say what it is for, but it must not be wrong.
fn require_kind(template: &Attributes, class: CK_OBJECT_CLASS, profile: Profile) -> Result<()> {
    for (kind, expected) in [(CKA_CLASS, class), (CKA_KEY_TYPE, profile.key_type())] {
        if template.contains_key(&kind) && number_of(template, kind)? != expected {
            return Err(CKR_TEMPLATE_INCONSISTENT);
        }
    }
    Ok(())
}

fn require_sm2(template: &Attributes, profile: Profile) -> Result<()> {
    let foreign_curve = template
        .get(&CKA_EC_PARAMS)
        .is_some_and(|p| **p != sm2::EC_PARAMS);
    match number_of(template, CKA_KEY_TYPE)? == profile.key_type() && !foreign_curve {
        true => Ok(()),
        false => Err(CKR_ATTRIBUTE_VALUE_INVALID),
    }
}

/// PKCS#11 2.40, 4.6.3: what an X.509 certificate must have. The value is kept unread.
fn require_x509(template: &Attributes) -> Result<()> {
    if number_of(template, CKA_CERTIFICATE_TYPE)? != CKC_X_509 {
        return Err(CKR_ATTRIBUTE_VALUE_INVALID);
    }
    for kind in [CKA_SUBJECT, CKA_VALUE] {
        let value = template.get(&kind).ok_or(CKR_TEMPLATE_INCOMPLETE)?;
        if value.is_empty() {
            return Err(CKR_ATTRIBUTE_VALUE_INVALID);
        }
    }
    Ok(())
}

/// What every SM2 key object carries. Luna's private keys have the point too.
fn key_attributes(
    mut attributes: Attributes,
    class: CK_OBJECT_CLASS,
    secret: &SigningKey,
    profile: Profile,
) -> Attributes {
    attributes.insert(CKA_CLASS, class.to_ne_bytes().to_vec());
    attributes.insert(CKA_KEY_TYPE, profile.key_type().to_ne_bytes().to_vec());
    attributes.insert(CKA_EC_PARAMS, sm2::EC_PARAMS.to_vec());
    attributes.insert(CKA_EC_POINT, sm2::ec_point(secret));
    attributes
}

fn with_defaults(mut attributes: Attributes, defaults: &[(CK_ATTRIBUTE_TYPE, bool)]) -> Attributes {
    for (kind, value) in defaults
        .iter()
        .chain(&[(CKA_TOKEN, false), (CKA_MODIFIABLE, true)])
    {
        attributes
            .entry(*kind)
            .or_insert_with(|| vec![CK_BBOOL::from(*value)]);
    }
    for kind in [CKA_LABEL, CKA_ID] {
        attributes.entry(kind).or_default();
    }
    attributes
}

/// A number that a template must have.
fn number_of(template: &Attributes, kind: CK_ATTRIBUTE_TYPE) -> Result<CK_ULONG> {
    let value = template.get(&kind).ok_or(CKR_TEMPLATE_INCOMPLETE)?;
    let bytes = value.as_slice().try_into();
    bytes
        .map(CK_ULONG::from_ne_bytes)
        .map_err(|_| CKR_ATTRIBUTE_VALUE_INVALID)
}
