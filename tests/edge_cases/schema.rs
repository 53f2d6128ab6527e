//! JSON Schema, as much of draft 7 as our schemas use. A keyword that it does not know fails.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// Checks a file against the schema that it names, in `folder`; panics where it differs.
pub(crate) fn check(folder: &Path, file: &Value) {
    let name = file["schema"].as_str().unwrap();
    let document = Document::read(folder, name);
    if let Err(why) = document.check(&document.root, file) {
        panic!("{name}: {why}");
    }
}

struct Document<'a> {
    folder: &'a Path,
    root: Value,
}

impl<'a> Document<'a> {
    fn read(folder: &'a Path, name: &str) -> Self {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        Self {
            folder,
            root: serde_json::from_str(&text).unwrap(),
        }
    }

    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = schema.as_object().unwrap();
        for (keyword, rule) in schema {
            let good = match keyword.as_str() {
                "$schema" | "definitions" | "description" | "format" => true,
                // It knows those that "properties" names.
                "additionalProperties" => true,
                "$ref" => return self.refer(rule.as_str().unwrap(), value),
                "type" => match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64(),
                    other => panic!("unknown type {other}"),
                },
                "enum" => rule.as_array().unwrap().contains(value),
                "minLength" => value
                    .as_str()
                    .is_some_and(|text| text.len() as u64 >= rule.as_u64().unwrap()),
                "required" => {
                    let names = rule.as_array().unwrap();
                    names
                        .iter()
                        .all(|name| !value[name.as_str().unwrap()].is_null())
                }
                "properties" => {
                    self.properties(rule.as_object().unwrap(), schema, value)?;
                    true
                }
                "items" => {
                    for item in value.as_array().unwrap() {
                        self.check(rule, item)?;
                    }
                    true
                }
                "anyOf" => {
                    let mut rules = rule.as_array().unwrap().iter();
                    rules.any(|rule| self.check(rule, value).is_ok())
                }
                other => panic!("unknown keyword {other}"),
            };
            if !good {
                let mut found = value.to_string();
                found.truncate(200);
                return Err(format!("{keyword} {rule}: {found}"));
            }
        }
        if !schema.contains_key("properties")
            && let Some(rule @ Value::Object(_)) = schema.get("additionalProperties")
        {
            for entry in value.as_object().unwrap().values() {
                self.check(rule, entry)?;
            }
        }
        Ok(())
    }

    fn properties(
        &self,
        known: &Map<String, Value>,
        schema: &Map<String, Value>,
        value: &Value,
    ) -> Result<(), String> {
        assert_eq!(schema["additionalProperties"], false);
        for (name, entry) in value.as_object().unwrap() {
            let rule = known
                .get(name)
                .ok_or_else(|| format!("unknown property {name}"))?;
            self.check(rule, entry)
                .map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }

    /// `#/definitions/Name`, here or in another file.
    fn refer(&self, to: &str, value: &Value) -> Result<(), String> {
        let (file, name) = to.split_once("#/definitions/").unwrap();
        if file.is_empty() {
            return self.check(&self.root["definitions"][name], value);
        }
        let other = Document::read(self.folder, file);
        other.check(&other.root["definitions"][name], value)
    }
}

#[test]
fn what_a_schema_forbids_is_seen() {
    let folder = crate::folder().join("schemas");
    let text = crate::text_of("sm2_key_agreement_test.json");
    check(&folder, &serde_json::from_str(&text).unwrap());
    for (right, wrong) in [
        ("\"role\": \"initiator\"", "\"role\": \"client\""),
        ("\"size\": 32", "\"size\": \"32\""),
        ("\"ownId\"", "\"id\""),
        ("\"bugType\"", "\"type\""),
        ("\"version\": \"1\"", "\"version\": \"\""),
        ("\"result\": \"valid\"", "\"result\": \"good\""),
    ] {
        let changed = text.replacen(right, wrong, 1);
        assert_ne!(changed, text);
        let changed = serde_json::from_str(&changed).unwrap();
        let seen = std::panic::catch_unwind(|| check(&folder, &changed));
        assert!(seen.is_err(), "{wrong}");
    }
}
