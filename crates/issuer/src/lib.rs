//! A bank's service: PIN requests, card authorisation, back office
