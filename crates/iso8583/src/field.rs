//! What the fields are called (ISO 8583:1987, 4.3, table of data elements).
//!
//! Not here: what they hold, which the layouts say.

/// The English name of a field; `"reserved"` for numbers that the standard gives to ISO, nations or parties,
/// and for what is no field.
pub fn name(field: u8) -> &'static str {
    NAMES.binary_search_by_key(&field, |(known, _)| *known).map_or("reserved", |at| NAMES[at].1)
}

/// In order of the fields.
static NAMES: &[(u8, &str)] = &[
    (1, "secondary bitmap"),
    (2, "primary account number"),
    (3, "processing code"),
    (4, "amount, transaction"),
    (5, "amount, settlement"),
    (6, "amount, cardholder billing"),
    (7, "transmission date and time"),
    (8, "amount, cardholder billing fee"),
    (9, "conversion rate, settlement"),
    (10, "conversion rate, cardholder billing"),
    (11, "system trace audit number"),
    (12, "time, local transaction"),
    (13, "date, local transaction"),
    (14, "date, expiration"),
    (15, "date, settlement"),
    (16, "date, conversion"),
    (17, "date, capture"),
    (18, "merchant type"),
    (19, "acquiring institution country code"),
    (20, "primary account number country code"),
    (21, "forwarding institution country code"),
    (22, "point of service entry mode"),
    (23, "card sequence number"),
    (24, "network international identifier"),
    (25, "point of service condition code"),
    (26, "point of service PIN capture code"),
    (27, "authorisation identification response length"),
    (28, "amount, transaction fee"),
    (29, "amount, settlement fee"),
    (30, "amount, transaction processing fee"),
    (31, "amount, settlement processing fee"),
    (32, "acquiring institution identification code"),
    (33, "forwarding institution identification code"),
    (34, "primary account number, extended"),
    (35, "track 2 data"),
    (36, "track 3 data"),
    (37, "retrieval reference number"),
    (38, "authorisation identification response"),
    (39, "response code"),
    (40, "service restriction code"),
    (41, "card acceptor terminal identification"),
    (42, "card acceptor identification code"),
    (43, "card acceptor name and location"),
    (44, "additional response data"),
    (45, "track 1 data"),
    (46, "additional data, ISO"),
    (47, "additional data, national"),
    (48, "additional data, private"),
    (49, "currency code, transaction"),
    (50, "currency code, settlement"),
    (51, "currency code, cardholder billing"),
    (52, "PIN data"),
    (53, "security related control information"),
    (54, "additional amounts"),
    (55, "chip data"),
    (64, "message authentication code"),
    (65, "tertiary bitmap"),
    (66, "settlement code"),
    (67, "extended payment code"),
    (68, "receiving institution country code"),
    (69, "settlement institution country code"),
    (70, "network management information code"),
    (71, "message number"),
    (72, "message number, last"),
    (73, "date, action"),
    (74, "credits, number"),
    (75, "credits, reversal number"),
    (76, "debits, number"),
    (77, "debits, reversal number"),
    (78, "transfers, number"),
    (79, "transfers, reversal number"),
    (80, "inquiries, number"),
    (81, "authorisations, number"),
    (82, "credits, processing fee amount"),
    (83, "credits, transaction fee amount"),
    (84, "debits, processing fee amount"),
    (85, "debits, transaction fee amount"),
    (86, "credits, amount"),
    (87, "credits, reversal amount"),
    (88, "debits, amount"),
    (89, "debits, reversal amount"),
    (90, "original data elements"),
    (91, "file update code"),
    (92, "file security code"),
    (93, "response indicator"),
    (94, "service indicator"),
    (95, "replacement amounts"),
    (96, "message security code"),
    (97, "amount, net settlement"),
    (98, "payee"),
    (99, "settlement institution identification code"),
    (100, "receiving institution identification code"),
    (101, "file name"),
    (102, "account identification 1"),
    (103, "account identification 2"),
    (104, "transaction description"),
    (128, "message authentication code"),
];

#[cfg(test)]
mod tests {
    use super::{NAMES, name};

    #[test]
    fn fields_have_names() {
        for (field, expect) in
            [(2, "primary account number"), (52, "PIN data"), (90, "original data elements")]
        {
            assert_eq!(name(field), expect);
        }
        assert!(NAMES.is_sorted());
        assert_eq!((name(0), name(60), name(255)), ("reserved", "reserved", "reserved"));
        assert!((2..=55).chain(64..=104).all(|field| name(field) != "reserved"));
    }
}
