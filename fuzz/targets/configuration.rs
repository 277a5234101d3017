//! Configuration: any text is a role's table or is refused with words, and so is a layout file; what was read is checked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ramz_iso8583::{Layout, Message, Mti, decode, encode};
use serde::de::DeserializeOwned;

fn table<T: DeserializeOwned>(text: &str) -> Option<T> {
    toml::from_str(text).ok()
}

/// A layout by path would be read from this machine's files.
fn is_no_path(layout: &String) -> bool {
    !layout.contains(['/', '.'])
}

fuzz_target!(|text: &str| {
    if let Some(bank) = table::<ramz_issuer::Config>(text)
        && [&bank.switch.layout, &bank.host.layout].into_iter().all(is_no_path)
    {
        let _ = bank.check().map_err(|error| error.to_string());
    }
    if let Some(page) = table::<ramz_gateway::Config>(text)
        && page.links.iter().map(|link| &link.layout).all(is_no_path)
    {
        let _ = page.check().map_err(|error| error.to_string());
    }
    let _ = table::<ramz_router::Config>(text);
    match Layout::from_toml(text) {
        Ok(layout) => {
            let empty = encode(&layout, &Message::new(Mti::NETWORK)).expect("a message without fields");
            assert!(decode(&layout, &empty).is_ok());
            for field in 2..=128 {
                for content in [&b"0"[..], b"000000", b"00000000", &[0; 8], b"D00000000", &[b'7'; 999]] {
                    let mut message = Message::new(Mti::FINANCIAL);
                    message.set(field, content);
                    let Ok(written) = encode(&layout, &message) else { continue };
                    // Not always the same content: a track's D is read as the = that it stands for.
                    let read = decode(&layout, &written).expect("what was written can be read");
                    let mut again = Message::new(read.mti());
                    again.set(field, read.bytes(field).expect("the field"));
                    assert_eq!(encode(&layout, &again), Ok(written));
                }
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
