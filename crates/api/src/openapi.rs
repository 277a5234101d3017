//! `GET /v1/openapi.json`: the reference of what a service has over HTTP, one document each. Kept by hand; tests hold them to
//! the code, and a peer calls running roles by them.

use axum::{Router, body::Bytes, http::header, routing::get};
use serde_json::Value;

use crate::pin_request;

/// Where it is read.
pub const PATH: &str = "/v1/openapi.json";

/// PIN requests and the directory, at router and issuer (OpenAPI 3.1).
pub const DOCUMENT: &str = include_str!("../openapi.json");
/// The issuer's back office.
pub const BACK_OFFICE: &str = include_str!("../openapi.back-office.json");

/// Of [`DOCUMENT`], what an issuer serves: the directory is the router's.
pub fn of_an_issuer() -> String {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|path, _| [pin_request::PATH, PATH].contains(&path.as_str()));
    }
    document.to_string()
}

/// Serves a document at [`PATH`].
pub fn route(document: impl Into<Bytes>) -> Router {
    let document = document.into();
    let answer = async move || ([(header::CONTENT_TYPE, "application/json")], document.clone());
    Router::new().route(PATH, get(answer))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        back_office::{self, CardBody, CardView},
        directory,
        directory::Banks,
        pin_request,
        pin_request::PinRequest,
        pin_request::PinRequested,
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

    #[test]
    fn an_issuer_has_no_directory() {
        let document: Value = serde_json::from_str(&of_an_issuer()).unwrap();
        let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(paths, [PATH, pin_request::PATH]);
    }

    #[test]
    fn the_back_offices_document_is_of_its_code() {
        let document: Value = serde_json::from_str(BACK_OFFICE).unwrap();
        let paths = document["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let card = format!("{}/{{card}}", back_office::CARDS);
        let code =
            [back_office::CARDS.to_owned(), back_office::FIND.to_owned(), PATH.to_owned(), card.clone()];
        let verbs = ["lock", "unlock"].map(|verb| format!("{card}/{verb}"));
        assert_eq!(paths, code.into_iter().chain(verbs).collect());
        let types = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].clone();
        assert_eq!(
            types,
            Value::from(Kind::ALL.iter().map(|kind| Value::from(kind.uri())).collect::<Vec<_>>())
        );
        let members = document["components"]["schemas"]["NewCard"]["properties"].as_object().unwrap();
        let mut members: Vec<_> = members.keys().map(String::as_str).collect();
        members.sort_by_key(|name| back_office::MEMBERS.iter().position(|member| member == name));
        assert_eq!(members, back_office::MEMBERS);
        let example = |path: &str, method: &str| {
            let body =
                &document["paths"][path][method]["requestBody"]["content"]["application/json"]["example"];
            serde_json::to_vec(body).unwrap()
        };
        CardBody::parse_new(&example(back_office::CARDS, "post")).unwrap();
        CardBody::parse_find(&example(back_office::FIND, "post")).unwrap();
        CardBody::parse_change(&example(&card, "put")).unwrap();
        let view =
            &document["paths"][&card]["get"]["responses"]["200"]["content"]["application/json"]["example"];
        let told: CardView = serde_json::from_value(view.clone()).unwrap();
        let told = serde_json::to_value(told).unwrap();
        let known = &document["components"]["schemas"]["CardView"]["properties"];
        for (member, value) in told.as_object().unwrap() {
            assert!(view[member] == *value && known.get(member).is_some(), "{member}");
        }
    }

    /// Every `$ref` leads somewhere.
    #[test]
    fn their_references_hold() {
        for text in [DOCUMENT, BACK_OFFICE] {
            let document: Value = serde_json::from_str(text).unwrap();
            let mut rest = text;
            while let Some((_, tail)) = rest.split_once("\"$ref\": \"#") {
                let (pointer, tail) = tail.split_once('"').unwrap();
                assert!(document.pointer(pointer).is_some(), "{pointer}");
                rest = tail;
            }
        }
    }
}
