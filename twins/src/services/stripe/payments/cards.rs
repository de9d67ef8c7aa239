//! Test cards: what the network says is decided by the payment method's name, token or number, never by chance.

use super::super::{errors::StripeError, row::Row};
use crate::json::{Value, json};

/// What happens when the card is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Fate {
    Paid,
    /// Paid, and available in the balance at once.
    PaidAtOnce,
    Declined(Decline),
    /// It can be saved and is declined when it is charged.
    DeclinedWhenCharged(Decline),
    /// The holder must prove who they are each time.
    NeedsAction,
    /// The holder must prove who they are, but not again once the card is saved and they are away.
    NeedsActionOnce,
    NeedsActionThenDeclined(Decline),
    /// Paid, and disputed at once for this reason.
    Disputed {
        reason: &'static str,
        inquiry: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Decline {
    pub(in super::super) code: &'static str,
    pub(in super::super) decline_code: Option<&'static str>,
    pub(in super::super) message: &'static str,
}

/// A card that tests know.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Card {
    /// Behind `pm_card_` and `tok_`.
    pub(in super::super) name: &'static str,
    pub(in super::super) number: &'static str,
    pub(in super::super) brand: &'static str,
    pub(in super::super) funding: &'static str,
    pub(in super::super) country: &'static str,
    pub(in super::super) fate: Fate,
}

const DECLINED: &str = "Your card was declined.";
pub(super) const AUTHENTICATION_REQUIRED: Decline = Decline {
    code: "authentication_required",
    decline_code: Some("authentication_required"),
    message: "Your card was declined. This transaction requires authentication.",
};

const fn card(name: &'static str, number: &'static str, brand: &'static str, fate: Fate) -> Card {
    Card { name, number, brand, funding: "credit", country: "US", fate }
}

const fn paid(name: &'static str, number: &'static str, brand: &'static str) -> Card {
    card(name, number, brand, Fate::Paid)
}

const fn visa(name: &'static str, number: &'static str, fate: Fate) -> Card {
    card(name, number, "visa", fate)
}

const fn decline(decline_code: &'static str) -> Decline {
    Decline { code: "card_declined", decline_code: Some(decline_code), message: DECLINED }
}

const fn declined(name: &'static str, number: &'static str, decline_code: &'static str) -> Card {
    visa(name, number, Fate::Declined(decline(decline_code)))
}

const fn wrong(name: &'static str, number: &'static str, code: &'static str, message: &'static str) -> Card {
    visa(name, number, Fate::Declined(Decline { code, decline_code: None, message }))
}

const fn disputed(name: &'static str, number: &'static str, reason: &'static str, inquiry: bool) -> Card {
    visa(name, number, Fate::Disputed { reason, inquiry })
}

const INSUFFICIENT: Decline = Decline {
    code: "card_declined",
    decline_code: Some("insufficient_funds"),
    message: "Your card has insufficient funds.",
};

const CARDS: &[Card] = &[
    paid("visa", "4242424242424242", "visa"),
    Card { funding: "debit", ..paid("visa_debit", "4000056655665556", "visa") },
    paid("mastercard", "5555555555554444", "mastercard"),
    Card { funding: "debit", ..paid("mastercard_debit", "5200828282828210", "mastercard") },
    Card { funding: "prepaid", ..paid("mastercard_prepaid", "5105105105105100", "mastercard") },
    paid("amex", "378282246310005", "amex"),
    paid("discover", "6011111111111117", "discover"),
    paid("diners", "3056930009020004", "diners"),
    paid("jcb", "3566002020360505", "jcb"),
    paid("unionpay", "6200000000000005", "unionpay"),
    Card { country: "DE", ..paid("de", "4000002760000016", "visa") },
    Card { country: "GB", ..paid("gb", "4000008260000000", "visa") },
    visa("bypassPending", "4000000000000077", Fate::PaidAtOnce),
    declined("chargeDeclined", "4000000000000002", "generic_decline"),
    visa("chargeDeclinedInsufficientFunds", "4000000000009995", Fate::Declined(INSUFFICIENT)),
    declined("chargeDeclinedLostCard", "4000000000009987", "lost_card"),
    declined("chargeDeclinedStolenCard", "4000000000009979", "stolen_card"),
    declined("chargeDeclinedFraudulent", "4100000000000019", "fraudulent"),
    declined("visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", "card_velocity_exceeded"),
    wrong("chargeDeclinedExpiredCard", "4000000000000069", "expired_card", "Your card has expired."),
    wrong("chargeDeclinedIncorrectCvc", "4000000000000127", "incorrect_cvc", "Your card's security code is incorrect."),
    wrong(
        "chargeDeclinedProcessingError",
        "4000000000000119",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    visa("chargeCustomerFail", "4000000000000341", Fate::DeclinedWhenCharged(decline("generic_decline"))),
    visa("authenticationRequired", "4000002760003184", Fate::NeedsAction),
    visa("authenticationRequiredOnSetup", "4000002500003155", Fate::NeedsActionOnce),
    visa("threeDSecureRequired", "4000000000003063", Fate::NeedsAction),
    visa("threeDSecure2Required", "4000000000003220", Fate::NeedsAction),
    visa(
        "threeDSecureRequiredChargeDeclined",
        "4000008400001629",
        Fate::NeedsActionThenDeclined(decline("generic_decline")),
    ),
    disputed("createDispute", "4000000000000259", "fraudulent", false),
    disputed("createDisputeProductNotReceived", "4000000000002685", "product_not_received", false),
    disputed("createDisputeInquiry", "4000000000001976", "fraudulent", true),
];

impl Card {
    pub(in super::super) fn by_name(name: &str) -> Option<Self> {
        CARDS.iter().find(|card| card.name == name).copied()
    }

    /// By a number as people write it.
    pub(super) fn by_number(number: &str) -> Result<Self, StripeError> {
        let digits: String = number.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
        if let Some(card) = CARDS.iter().find(|card| card.number == digits) {
            return Ok(*card);
        }
        if luhn(&digits) {
            let text = "Your card was declined. Your request was in test mode, but used a non test (live) card. For a list of valid test cards, visit: https://stripe.com/docs/testing.";
            let error = StripeError::new(402, "card_error", text).code("card_declined");
            return Err(error.with("decline_code", json!("test_mode_live_card")));
        }
        let error = StripeError::new(402, "card_error", "Your card number is incorrect.");
        Err(error.code("incorrect_number").param("number"))
    }

    /// The field `card` of a payment method; what the client gave about it goes before what the table says.
    pub(super) fn json(self, given: &Value) -> Value {
        let checked = |checked: bool| if checked { json!("pass") } else { Value::Null };
        let brand = self.brand;
        json!({
            "brand": brand,
            "checks": {"address_line1_check": null, "address_postal_code_check": null,
                "cvc_check": checked(given["number"].is_null() || given["cvc"].is_string())},
            "country": self.country, "display_brand": brand,
            "exp_month": given["exp_month"].as_i64().unwrap_or(12),
            "exp_year": given["exp_year"].as_i64().unwrap_or(2034), "fingerprint": self.fingerprint(),
            "funding": self.funding, "generated_from": null, "last4": self.last4(),
            "networks": {"available": [brand], "preferred": null}, "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": true}, "wallet": null,
        })
    }

    pub(super) fn last4(self) -> &'static str {
        &self.number[self.number.len() - 4..]
    }

    /// The same number has the same one.
    pub(super) fn fingerprint(self) -> String {
        blake3::hash(self.number.as_bytes()).to_hex()[..16].to_owned()
    }
}

/// What a client says about a card besides its number.
pub(super) fn check_expiry(card: &Value) -> Result<(), StripeError> {
    let refused = |code: &str, what: &str, param: &str| {
        let text = format!("Your card's expiration {what} is invalid.");
        Err(StripeError::new(402, "card_error", text).code(code).param(param))
    };
    match (card["exp_month"].as_i64(), card["exp_year"].as_i64()) {
        (Some(month), _) if !(1..=12).contains(&month) => refused("invalid_expiry_month", "month", "exp_month"),
        (_, Some(year)) if !(2024..2100).contains(&year) => refused("invalid_expiry_year", "year", "exp_year"),
        _ if card.maybe("cvc").is_some_and(|cvc| !(3..=4).contains(&cvc.len())) => {
            let text = "Your card's security code is invalid.";
            Err(StripeError::new(402, "card_error", text).code("invalid_cvc").param("cvc"))
        }
        _ => Ok(()),
    }
}

/// The check digit of card numbers.
fn luhn(digits: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits: Option<Vec<u32>> = digits.chars().map(|letter| letter.to_digit(10)).collect();
    digits.is_some_and(|digits| {
        let weighed =
            digits.iter().rev().enumerate().map(|(n, digit)| if n % 2 == 1 { doubled(*digit) } else { *digit });
        (12..=19).contains(&digits.len()) && weighed.sum::<u32>() % 10 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_has_a_number_of_its_own_that_checks() {
        for card in CARDS {
            assert!(luhn(card.number), "{}", card.name);
            assert_eq!(Card::by_number(card.number).map(|found| found.name).ok(), Some(card.name));
        }
        assert!(Card::by_number("4242 4242 4242 4241").is_err());
    }
}
