//! `GET /v1/openapi.json`: the reference of what a service has over HTTP, one document each. Kept by hand; tests hold them to
//! the code, and a peer calls running roles by them.

use axum::{Router, body::Bytes, http::header, routing::get};
use serde_json::Value;

use crate::{directory, pin_request, verification};

/// Where it is read.
pub const PATH: &str = "/v1/openapi.json";

/// PIN requests at router and issuer, the directory at a router, verifications at an issuer (OpenAPI 3.1).
pub const DOCUMENT: &str = include_str!("../openapi.json");
/// The issuer's back office.
pub const BACK_OFFICE: &str = include_str!("../openapi.back-office.json");
/// The issuer's door for the app.
pub const APP: &str = include_str!("../openapi.app.json");

/// Of [`DOCUMENT`], what an issuer serves: the directory is the router's.
pub fn of_an_issuer() -> String {
    with(&[pin_request::PATH, verification::PATH, verification::OUTCOME_PATH])
}

/// Of [`DOCUMENT`], what a router serves: PINs are verified at the issuer.
pub fn of_a_router() -> String {
    with(&[pin_request::PATH, directory::PATH])
}

fn with(served: &[&str]) -> String {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|path, _| path == PATH || served.contains(&path.as_str()));
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

    use ramz_domain::{PaymentKind, Refusal, limits};

    use serde::{Serialize, de::DeserializeOwned};

    use super::*;
    use crate::{
        app::{
            self, Activate, Activated, AddCard, BankView, CardsView, Ceiling, Check, DeviceView, DevicesView,
            Rename, Resync, Switch, TimeView, TokenView,
        },
        back_office::{self, CardBody, CardView, PhoneBody, Reissue},
        directory::Banks,
        pin_request::PinRequest,
        pin_request::PinRequested,
        problem::Kind,
        verification::{PaymentOutcome, Presented, Verification, Verified},
    };

    /// What only the app is told.
    const OF_THE_APP: [Kind; 11] = [
        Kind::NotProved,
        Kind::NoSuchDevice,
        Kind::WrongCode,
        Kind::CardNotAccepted,
        Kind::ControlCode,
        Kind::CounterUsed,
        Kind::DeviceLimit,
        Kind::TokenExists,
        Kind::CardTakenOff,
        Kind::NoConsecutiveCodes,
        Kind::ControlLocked,
    ];

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn its_paths_are_the_paths_of_the_code() {
        let paths = document()["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let code = [pin_request::PATH, verification::PATH, verification::OUTCOME_PATH, directory::PATH, PATH];
        let code = code.map(String::from);
        assert_eq!(paths, BTreeSet::from(code));
    }

    #[test]
    fn its_problems_are_the_problems_of_the_code() {
        let types = document()["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].clone();
        let code: Vec<_> = Kind::ALL.iter().map(|kind| Value::from(kind.uri())).collect();
        assert_eq!(types, Value::from(code));
        let answers = document()["paths"][pin_request::PATH]["post"]["responses"].clone();
        let elsewhere = [Kind::NotFound, Kind::AlreadyExists, Kind::CardClosed, Kind::PhoneFull];
        let here = |kind: &&Kind| !elsewhere.contains(kind) && !OF_THE_APP.contains(kind);
        for kind in Kind::ALL.iter().filter(here) {
            let answer = answers[kind.code().to_string()]["description"].as_str().unwrap_or_default();
            assert!(answer.starts_with(&format!("{}: ", kind.slug())), "{} is {answer:?}", kind.code());
        }
    }

    /// Of these doors there are answers, and of no others.
    #[test]
    fn a_verification_has_the_problems_of_its_doors() {
        let both = [
            Kind::Malformed,
            Kind::UnknownAsker,
            Kind::MethodNotAllowed,
            Kind::TooLarge,
            Kind::MediaType,
            Kind::Fault,
            Kind::IssuerUnavailable,
        ];
        let document = document();
        for (path, own) in [
            (verification::PATH, [Kind::UnknownIssuer].as_slice()),
            (verification::OUTCOME_PATH, &[Kind::NotFound, Kind::AlreadyExists]),
        ] {
            let answers = document["paths"][path]["post"]["responses"].as_object().unwrap();
            let told = answers.iter().filter(|(status, _)| *status != "200").map(|(status, answer)| {
                let (slug, _) = answer["description"].as_str().unwrap().split_once(": ").unwrap();
                (status.clone(), slug.to_owned())
            });
            let code = both.iter().chain(own).map(|kind| (kind.code().to_string(), kind.slug().to_owned()));
            assert_eq!(told.collect::<BTreeSet<_>>(), code.collect(), "{path}");
            assert!(answers["503"]["headers"].get("Retry-After").is_some(), "{path}");
        }
    }

    #[test]
    fn its_verifications_pass_the_doors() {
        let document = document();
        let examples = |content: &Value| {
            let all = content["content"]["application/json"]["examples"].as_object().unwrap();
            all.values().map(|example| example["value"].clone()).collect::<Vec<_>>()
        };
        let verify = &document["paths"][verification::PATH]["post"];
        let (mut kinds, mut blocks) = (BTreeSet::new(), 0);
        for example in examples(&verify["requestBody"]) {
            let bytes = serde_json::to_vec(&example).unwrap();
            let read = Verification::parse(&bytes).unwrap_or_else(|e| panic!("{example}: {e:?}"));
            kinds.insert(read.kind.code());
            blocks += u8::from(matches!(read.pin, Presented::Block { .. }));
        }
        assert_eq!((kinds, blocks), (PaymentKind::ALL.map(PaymentKind::code).into(), 1));
        for example in examples(&verify["responses"]["200"]) {
            let told: Verified = serde_json::from_value(example.clone()).unwrap();
            assert_eq!(serde_json::to_value(told).unwrap(), example);
        }
        let schemas = &document["components"]["schemas"];
        let members = schemas["Verification"]["properties"].as_object().unwrap();
        let members: BTreeSet<_> = members.keys().map(String::as_str).collect();
        assert_eq!(members, verification::MEMBERS.into());
        let refusals: Vec<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
        assert_eq!(schemas["Verified"]["properties"]["refusal"]["enum"], Value::from(refusals));
        let report = &document["paths"][verification::OUTCOME_PATH]["post"];
        let outcomes: Vec<_> = examples(&report["requestBody"])
            .iter()
            .map(|example| PaymentOutcome::parse(&serde_json::to_vec(example).unwrap()).unwrap().to_string())
            .collect();
        for schema in ["Outcome", "OutcomeNoted"] {
            let named = &schemas[schema]["properties"]["outcome"]["enum"];
            assert_eq!(*named, Value::from(outcomes.clone()), "{schema}");
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
        let payer = &document["components"]["schemas"]["PinRequest"]["properties"]["payer"]["pattern"];
        let bounds = format!("^[A-Za-z0-9_-]{{{},{}}}$", limits::PAYER_CHARS_MIN, limits::PAYER_CHARS_MAX);
        assert_eq!(*payer, Value::from(bounds));
        assert!(examples.values().any(|example| example["value"].get("payer").is_some()));
        let answer = &ask["responses"]["202"]["content"]["application/json"]["example"];
        let requested: PinRequested = serde_json::from_value(answer.clone()).unwrap();
        assert_eq!(&serde_json::to_value(requested).unwrap(), answer);
        let banks = &document["paths"][directory::PATH]["get"]["responses"]["200"]["content"]["application/json"]
            ["example"];
        let told: Banks = serde_json::from_value(banks.clone()).unwrap();
        assert_eq!(&serde_json::to_value(told).unwrap(), banks);
    }

    #[test]
    fn an_issuer_has_no_directory_and_a_router_verifies_nothing() {
        let paths = |text: &str| {
            let document: Value = serde_json::from_str(text).unwrap();
            document["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>()
        };
        let issuer = [PATH, pin_request::PATH, verification::PATH, verification::OUTCOME_PATH];
        assert_eq!(paths(&of_an_issuer()), issuer.map(String::from).into());
        assert_eq!(
            paths(&of_a_router()),
            [PATH, pin_request::PATH, directory::PATH].map(String::from).into()
        );
    }

    #[test]
    fn the_back_offices_document_is_of_its_code() {
        let document: Value = serde_json::from_str(BACK_OFFICE).unwrap();
        let paths = document["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let done = [back_office::LOCK, back_office::UNLOCK, back_office::CLOSE, back_office::REISSUE];
        let more = [back_office::PHONE, back_office::FIRST_PIN_OFF, back_office::DEVICE];
        let code = [back_office::CARDS, back_office::FIND, back_office::CARD, PATH];
        assert_eq!(paths, code.into_iter().chain(done).chain(more).map(String::from).collect());
        let types = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].clone();
        assert_eq!(
            types,
            Value::from(Kind::ALL.iter().map(|kind| Value::from(kind.uri())).collect::<Vec<_>>())
        );
        let members = document["components"]["schemas"]["NewCard"]["properties"].as_object().unwrap();
        let mut members: Vec<_> = members.keys().map(String::as_str).collect();
        members.sort_by_key(|name| back_office::MEMBERS.iter().position(|member| member == name));
        assert_eq!(members, back_office::MEMBERS);
        let product = &document["components"]["schemas"]["NewCard"]["properties"]["product"]["maxLength"];
        assert_eq!(*product, limits::PRODUCT_CHARS_MAX);
        let full = format!("phone-full: the phone has {} cards already.", limits::PHONE_CARDS_MAX);
        for (path, method) in
            [(back_office::CARDS, "post"), (back_office::CARD, "put"), (back_office::PHONE, "put")]
        {
            let conflict = document["paths"][path][method]["responses"]["409"]["description"].as_str();
            assert!(conflict.is_some_and(|conflict| conflict.ends_with(&full)), "{path}");
        }
        let example = |path: &str, method: &str| {
            let body =
                &document["paths"][path][method]["requestBody"]["content"]["application/json"]["example"];
            serde_json::to_vec(body).unwrap()
        };
        CardBody::parse_new(&example(back_office::CARDS, "post")).unwrap();
        CardBody::parse_find(&example(back_office::FIND, "post")).unwrap();
        CardBody::parse_change(&example(back_office::CARD, "put")).unwrap();
        Reissue::parse(&example(back_office::REISSUE, "post")).unwrap();
        PhoneBody::parse(&example(back_office::PHONE, "put")).unwrap();
        let view = &document["paths"][back_office::CARD]["get"]["responses"]["200"]["content"]["application/json"]
            ["example"];
        let told: CardView = serde_json::from_value(view.clone()).unwrap();
        let told = serde_json::to_value(told).unwrap();
        let known = &document["components"]["schemas"]["CardView"]["properties"];
        for (member, value) in told.as_object().unwrap() {
            assert!(view[member] == *value && known.get(member).is_some(), "{member}");
        }
    }

    #[test]
    fn the_apps_document_is_of_its_code() {
        let document: Value = serde_json::from_str(APP).unwrap();
        let paths = document["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let of_a_card = [app::CARD, app::CEILING, app::FIRST_PIN, app::SECOND_PIN, app::CHECK, app::RESYNC];
        let more = [app::ACTIVATIONS, app::BANK, app::CARDS, app::DEVICES, app::DEVICE, app::TIME, PATH];
        assert_eq!(paths, of_a_card.into_iter().chain(more).map(String::from).collect());
        let schemas = &document["components"]["schemas"];
        let code: Vec<_> = Kind::ALL.iter().map(|kind| Value::from(kind.uri())).collect();
        assert_eq!(schemas["Problem"]["properties"]["type"]["enum"], Value::from(code));
        for kind in OF_THE_APP {
            let told =
                document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
            let mut told = told.map(|(_, operation)| &operation["responses"][kind.code().to_string()]);
            let slug = format!("{}: ", kind.slug());
            let slug = if kind == Kind::NoSuchDevice { kind.slug() } else { &slug };
            let is_told = |answer: &Value| answer["description"].as_str().is_some_and(|d| d.contains(slug));
            assert!(told.any(is_told), "{slug}");
        }
        assert_eq!(
            schemas["Activate"]["properties"]["device_name"]["maxLength"],
            limits::DEVICE_NAME_CHARS_MAX
        );
        assert_eq!(schemas["Ceiling"]["properties"]["ceiling"]["maximum"], limits::CEILING_STEPS_MAX);
        let proof = &document["components"]["parameters"]["DPoP"]["schema"]["maxLength"];
        assert_eq!(*proof, limits::PROOF_BYTES_MAX);
    }

    /// All but activation, bank, time and the document itself are proved, and say so.
    #[test]
    fn what_the_app_asks_is_proved() {
        let document: Value = serde_json::from_str(APP).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            let operations = item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters");
            for (method, operation) in operations {
                let open = [app::ACTIVATIONS, app::BANK, app::TIME, PATH].contains(&path.as_str());
                let proof = operation["parameters"][0]["$ref"] == "#/components/parameters/DPoP";
                let refused = operation["responses"].get("401").is_some();
                let secured = operation.get("security").is_none();
                assert!((proof, refused, secured) == (!open, !open, !open), "{method} {path}");
            }
        }
    }

    #[test]
    fn the_apps_examples_pass_its_doors() {
        let document: Value = serde_json::from_str(APP).unwrap();
        let body = |path: &str, method: &str| {
            let content = &document["paths"][path][method]["requestBody"]["content"]["application/json"];
            serde_json::to_vec(&content["example"]).unwrap()
        };
        let reads = |path: &str, method: &str, again: &[u8]| {
            let sent: Value = serde_json::from_slice(&body(path, method)).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(again).unwrap(), sent, "{method} {path}");
        };
        let activate = Activate::parse(&body(app::ACTIVATIONS, "post")).unwrap();
        assert_eq!(activate.sms_code.expose(), "87654321");
        reads(app::CARDS, "post", &AddCard::parse(&body(app::CARDS, "post")).unwrap().to_json());
        reads(app::CEILING, "put", &Ceiling::parse(&body(app::CEILING, "put")).unwrap().to_json());
        for path in [app::FIRST_PIN, app::SECOND_PIN] {
            reads(path, "put", &Switch::parse(&body(path, "put")).unwrap().to_json());
        }
        reads(app::CHECK, "post", &Check::parse(&body(app::CHECK, "post")).unwrap().to_json());
        reads(app::RESYNC, "post", &Resync::parse(&body(app::RESYNC, "post")).unwrap().to_json());
        reads(app::DEVICE, "put", &Rename::parse(&body(app::DEVICE, "put")).unwrap().to_json());

        fn shown<T: DeserializeOwned + Serialize>(document: &Value, path: &str, method: &str, status: &str) {
            let answer = &document["paths"][path][method]["responses"][status];
            let example = &answer["content"]["application/json"]["example"];
            let read: T = serde_json::from_value(example.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), *example, "{method} {path}");
        }
        shown::<BankView>(&document, app::BANK, "get", "200");
        shown::<Activated>(&document, app::ACTIVATIONS, "post", "201");
        shown::<CardsView>(&document, app::CARDS, "get", "200");
        shown::<TokenView>(&document, app::CARDS, "post", "201");
        for (path, method) in
            [(app::CEILING, "put"), (app::FIRST_PIN, "put"), (app::SECOND_PIN, "put"), (app::RESYNC, "post")]
        {
            shown::<TokenView>(&document, path, method, "200");
        }
        shown::<DevicesView>(&document, app::DEVICES, "get", "200");
        shown::<DeviceView>(&document, app::DEVICE, "put", "200");
        shown::<TimeView>(&document, app::TIME, "get", "200");
    }

    /// Every `$ref` leads somewhere.
    #[test]
    fn their_references_hold() {
        for text in [DOCUMENT, BACK_OFFICE, APP] {
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
