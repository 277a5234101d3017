//! HTTP bodies: PIN requests, the back office's, problems and the directory as a client reads them. What was read is written so that it
//! is read again as the same.

#![no_main]

use hyper::header::HeaderValue;
use hyper::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use ramz_api::back_office::{CardBody, PhoneBody, Reissue};
use ramz_api::pin_request::{IDEMPOTENCY_KEY, PinRequest, idempotency_key};
use ramz_api::problem::Problem;

fuzz_target!(|bytes: &[u8]| {
    match PinRequest::parse(bytes) {
        Ok(read) => {
            let again = PinRequest::parse(&read.to_json()).expect("what was written can be read");
            assert_eq!(again, read);
        }
        Err(problem) => {
            let read = Problem::read(problem.kind.status(), &problem.to_json()).expect("a problem of ours");
            assert_eq!(read.to_json(), problem.to_json());
        }
    }

    for parse in [CardBody::parse_new, CardBody::parse_change, CardBody::parse_upsert] {
        if let Ok(read) = parse(bytes) {
            let written = read.to_json();
            let again = parse(&written).expect("what was written can be read");
            assert_eq!(again.to_json(), written);
        }
    }
    if let Ok(read) = Reissue::parse(bytes) {
        let written = read.to_json();
        assert_eq!(Reissue::parse(&written).expect("what was written can be read").to_json(), written);
    }
    if let Ok(read) = PhoneBody::parse(bytes) {
        let written = read.to_json();
        assert_eq!(PhoneBody::parse(&written).expect("what was written can be read").to_json(), written);
    }
    let _ = CardBody::parse_find(bytes);

    for status in [StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE] {
        if let Some(problem) = Problem::read(status, bytes) {
            assert!(Problem::read(status, &problem.to_json()).is_some());
        }
    }
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        let _ = idempotency_key(&HeaderMap::from_iter([(IDEMPOTENCY_KEY.parse().expect("a name"), value)]));
    }
});
