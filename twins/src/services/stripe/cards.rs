//! Test cards: what the network says is decided by the payment method's name, token or number, never by chance.

use serde_json::Value;

/// What happens when the card is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Paid,
    /// Error code, decline code, message.
    Declined(&'static str, Option<&'static str>, &'static str),
    /// The holder must prove who they are first.
    NeedsAction,
}

/// A card that tests know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    pub(super) brand: &'static str,
    pub(super) last4: &'static str,
    pub(super) fate: Fate,
}

const DECLINED: &str = "Your card was declined.";

const fn paid(brand: &'static str, last4: &'static str) -> Card {
    Card { brand, last4, fate: Fate::Paid }
}

const fn declined(last4: &'static str, decline_code: &'static str) -> Card {
    Card { brand: "visa", last4, fate: Fate::Declined("card_declined", Some(decline_code), DECLINED) }
}

const fn wrong(last4: &'static str, code: &'static str, message: &'static str) -> Card {
    Card { brand: "visa", last4, fate: Fate::Declined(code, None, message) }
}

/// Name behind `pm_card_` and `tok_`, number, card.
const CARDS: &[(&str, &str, Card)] = &[
    ("visa", "4242424242424242", paid("visa", "4242")),
    ("visa_debit", "4000056655665556", paid("visa", "5556")),
    ("mastercard", "5555555555554444", paid("mastercard", "4444")),
    ("amex", "378282246310005", paid("amex", "0005")),
    ("discover", "6011111111111117", paid("discover", "1117")),
    ("chargeDeclined", "4000000000000002", declined("0002", "generic_decline")),
    (
        "chargeDeclinedInsufficientFunds",
        "4000000000009995",
        Card {
            brand: "visa",
            last4: "9995",
            fate: Fate::Declined("card_declined", Some("insufficient_funds"), "Your card has insufficient funds."),
        },
    ),
    ("chargeDeclinedLostCard", "4000000000009987", declined("9987", "lost_card")),
    ("chargeDeclinedStolenCard", "4000000000009979", declined("9979", "stolen_card")),
    ("chargeDeclinedFraudulent", "4100000000000019", declined("0019", "fraudulent")),
    ("chargeDeclinedExpiredCard", "4000000000000069", wrong("0069", "expired_card", "Your card has expired.")),
    (
        "chargeDeclinedIncorrectCvc",
        "4000000000000127",
        wrong("0127", "incorrect_cvc", "Your card's security code is incorrect."),
    ),
    (
        "chargeDeclinedProcessingError",
        "4000000000000119",
        wrong("0119", "processing_error", "An error occurred while processing your card. Try again in a little bit."),
    ),
    ("authenticationRequired", "4000002760003184", Card { brand: "visa", last4: "3184", fate: Fate::NeedsAction }),
];

pub(super) fn by_payment_method(id: &str) -> Option<Card> {
    by_name(id.strip_prefix("pm_card_")?)
}

/// From `payment_method_data`: a token (`card[token]=tok_visa`) or a number.
pub(super) fn by_data(data: &Value) -> Option<Card> {
    let card = &data["card"];
    match (card["token"].as_str(), card["number"].as_str()) {
        (Some(token), _) => by_name(token.strip_prefix("tok_")?),
        (None, Some(number)) => {
            let digits: String = number.chars().filter(char::is_ascii_digit).collect();
            CARDS.iter().find(|(_, known, _)| *known == digits).map(|(_, _, card)| *card)
        }
        (None, None) => None,
    }
}

fn by_name(name: &str) -> Option<Card> {
    CARDS.iter().find(|(known, ..)| *known == name).map(|(_, _, card)| *card)
}
