//! English.

use super::Notice;

/// The lines after the bank's name.
#[expect(clippy::too_many_lines, reason = "a table: an entry for each notice")]
pub(super) const fn words(notice: &Notice<'_>) -> &'static str {
    match notice {
        Notice::SmsActivated { .. } => {
            "PINs by SMS are on for card {card}.\n\
             To get one, text the last 4 digits of the card to {short_code}.\n\
             Each PIN is good for one payment within {seconds} seconds. Never tell it to a caller."
        }
        Notice::SmsDeactivated { .. } => {
            "PINs by SMS are off for card {card}.\n\
             If this was not you, please call the bank."
        }
        Notice::AppActivationCode { address: Some(_), .. } => {
            "Second half of the app's activation code for card {card}, good for {minutes}.\n\
             Activation code: {code}\n\
             No bank employee ever asks for it.\n\
             {address}"
        }
        Notice::AppActivationCode { address: None, .. } => {
            "Second half of the app's activation code for card {card}, good for {minutes}.\n\
             Activation code: {code}\n\
             No bank employee ever asks for it."
        }
        Notice::AppDeactivated { .. } => {
            "The PIN app is off for card {card}.\n\
             If this was not you, please call the bank."
        }
        Notice::FirstPinOn { .. } => {
            "The dynamic first PIN is on for card {card}.\n\
             At ATMs and terminals, use the first PIN that the app shows."
        }
        Notice::FirstPinOff { .. } => {
            "The dynamic first PIN is off for card {card}. The static first PIN is used again.\n\
             If this was not you, please call the bank."
        }
        Notice::Locked { until: Some(_), .. } => {
            "After several wrong PINs, the dynamic PIN of card {card} is locked until {until}.\n\
             An ATM or the bank can unlock it earlier."
        }
        // By wrong PINs, or by the bank.
        Notice::Locked { until: None, .. } => {
            "The dynamic PIN of card {card} is locked.\n\
             An ATM or the bank can unlock it."
        }
        Notice::Unlocked { .. } => {
            "The dynamic PIN of card {card} is unlocked.\n\
             If this was not you, please call the bank."
        }
        Notice::PhoneChangedOld { .. } => {
            "The mobile number of card {card} was changed; it is not this one any more.\n\
             If this was not you, please call the bank at once."
        }
        Notice::PhoneChangedNew { .. } => {
            "From now on, dynamic PINs of card {card} come to this number.\n\
             If you use the PIN app, please activate it again."
        }
        Notice::CardReissued { .. } => {
            "Card {card} was issued again.\n\
             If its dynamic PIN does not come, please activate it again.\n\
             If this was not you, please call the bank."
        }
        Notice::CardOnDevice { .. } => {
            "Card {card} was added to the PIN app on a device.\n\
             If this was not you, call the bank now."
        }
        Notice::CardOffDevice { .. } => {
            "Card {card} was removed from the PIN app on a device.\n\
             If this was not you, please call the bank."
        }
        Notice::Ceiling { max: Some(_), .. } => {
            "PINs of the app for card {card} are good up to {max} rial now.\n\
             If this was not you, please call the bank."
        }
        Notice::Ceiling { max: None, .. } => {
            "PINs of the app for card {card} are good for any amount now.\n\
             If this was not you, call the bank now."
        }
        Notice::SecondPinOn { .. } => {
            "The app's second PIN is on for card {card}.\n\
             If this was not you, please call the bank."
        }
        Notice::SecondPinOff { .. } => {
            "The app's second PIN is off for card {card}.\n\
             If this was not you, please call the bank."
        }
        Notice::FirstPinLocked { until: Some(_), .. } => {
            "After several wrong PINs, the dynamic first PIN of card {card} is locked until {until}.\n\
             An ATM or the bank can unlock it earlier."
        }
        Notice::FirstPinLocked { until: None, .. } => {
            "After several wrong PINs, the dynamic first PIN of card {card} is locked.\n\
             An ATM or the bank can unlock it."
        }
        Notice::AppLocked { .. } => {
            "Several wrong app PINs were entered for card {card}.\n\
             If this was not you, call the bank now."
        }
        Notice::HelpNotActivated { .. } => {
            "PINs by SMS are not activated for card {card}.\n\
             You can activate them at an ATM or a branch's terminal: change of PIN and dynamic PIN services."
        }
        Notice::HelpNoSuchCard => {
            "No card of this mobile number ends in these digits.\n\
             Please text the last digits of a card of this bank."
        }
        Notice::HelpSixDigits => {
            "Two of your cards end in these four digits.\n\
             Please text the last six digits of the card."
        }
        Notice::HelpLocked { .. } => {
            "The dynamic PIN of card {card} is locked.\n\
             Please unlock it at an ATM, or call the bank."
        }
        Notice::HelpTooOften { .. } => {
            "You have asked for as many PINs as may be sent for now.\n\
             Please text again in {minutes}."
        }
        Notice::HelpFormat { .. } => {
            "Your text could not be read.\n\
             Please text only the last 4 digits of the card to {short_code}."
        }
        Notice::HelpCardInactive { .. } => {
            "Card {card} is not active and has no dynamic PIN.\n\
             Please call the bank."
        }
        Notice::HelpNotOffered => {
            "This bank does not send PINs in answer to a text.\n\
             Please ask for one on the payment page."
        }
    }
}

pub(super) fn minutes(minutes: u32) -> String {
    if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") }
}
