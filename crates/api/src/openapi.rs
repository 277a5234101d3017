//! `GET /v1/openapi.json`: the reference of what is public over HTTP. Kept by hand; a test holds it to the code.

/// Where it is read.
pub const PATH: &str = "/v1/openapi.json";

/// The document (OpenAPI 3.1).
pub const DOCUMENT: &str = include_str!("../openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{
        directory, directory::Banks, pin_request, pin_request::PinRequest, pin_request::PinRequested,
        problem::Kind,
    };

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn its_paths_are_the_paths_of_the_code() {
        let paths = document()["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let code = [pin_request::PATH, directory::PATH, PATH].map(String::from);
        assert_eq!(paths, BTreeSet::from(code));
    }

    #[test]
    fn its_problems_are_the_problems_of_the_code() {
        let types = document()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].clone();
        let code: Vec<_> = Kind::ALL.iter().map(|kind| Value::from(kind.uri())).collect();
        assert_eq!(types, Value::from(code));
        let answers = document()["paths"][pin_request::PATH]["post"]["responses"].clone();
        for kind in Kind::ALL.iter().filter(|k| !matches!(k, Kind::NotFound | Kind::AlreadyExists)) {
            let answer = answers[kind.code().to_string()]["description"].as_str().unwrap_or_default();
            assert!(answer.starts_with(&format!("{}: ", kind.slug())), "{} is {answer:?}", kind.code());
        }
    }

    #[test]
    fn its_examples_pass_the_doors() {
        let document = document();
        let ask = &document["paths"][pin_request::PATH]["post"];
        let examples = ask["requestBody"]["content"]["application/json"]["examples"].as_object().unwrap();
        assert_eq!(examples.len(), 4);
        for (name, example) in examples {
            let bytes = serde_json::to_vec(&example["value"]).unwrap();
            let checked = PinRequest::parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            let again: Value = serde_json::from_slice(&checked.to_json()).unwrap();
            assert_eq!(again, example["value"], "{name}");
        }
        let answer = &ask["responses"]["202"]["content"]["application/json"]["example"];
        let requested: PinRequested = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!(&serde_json::to_value(requested).unwrap(), answer);
        let banks = &document["paths"][directory::PATH]["get"]["responses"]["200"]["content"]["application/json"]
            ["example"];
        let told: Banks = serde_json::from_value(banks.clone()).unwrap();
        assert_eq!(&serde_json::to_value(told).unwrap(), banks);
    }

    /// Every `$ref` leads somewhere.
    #[test]
    fn its_references_hold() {
        let document = document();
        let mut rest = DOCUMENT;
        while let Some((_, tail)) = rest.split_once("\"$ref\": \"#") {
            let (pointer, tail) = tail.split_once('"').unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            rest = tail;
        }
    }
}
