//! Amounts and currencies.

use super::super::errors::StripeError;

const AMOUNT_MAX: i64 = 99_999_999; // the service's own limit

/// Currency, how much is the least that can be charged, and the sign before an amount.
const COMMON: [(&str, i64, &str); 9] = [
    ("usd", 50, "$"),
    ("eur", 50, "€"),
    ("gbp", 30, "£"),
    ("aud", 50, "$"),
    ("cad", 50, "$"),
    ("chf", 50, "CHF"),
    ("jpy", 50, "¥"),
    ("sek", 300, "kr"),
    ("nok", 300, "kr"),
];
const OTHERS: &str = "aed afn all amd ang aoa ars awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd \
    cdf clp cny cop crc cve czk djf dkk dop dzd egp etb fjd fkp gel ghs gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils \
    inr isk jmd jod kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr \
    mzn nad ngn nio npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sgd shp sle sos srd std \
    szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw";
const WITHOUT_CENTS: &str = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf";

/// The currency as the service writes it.
pub(in super::super) fn currency(text: &str) -> Result<String, StripeError> {
    let currency = text.to_lowercase();
    let known = COMMON.iter().map(|(name, ..)| *name).chain(OTHERS.split_whitespace());
    if known.clone().any(|name| name == currency) {
        return Ok(currency);
    }
    let known: Vec<_> = known.collect();
    let text =
        format!("Invalid currency: {currency}. Stripe currently supports these currencies: {}", known.join(", "));
    Err(StripeError::invalid(text).param("currency"))
}

/// Whether so much can be charged.
pub(in super::super) fn check(amount: i64, currency: &str) -> Result<(), StripeError> {
    let least = COMMON.iter().find(|(name, ..)| *name == currency).map_or(1, |(_, least, _)| *least);
    if amount < least {
        let text = format!("Amount must be at least {} {currency}", shown(least, currency));
        return Err(StripeError::invalid(text).code("amount_too_small").param("amount"));
    }
    if amount > AMOUNT_MAX {
        let text = format!("Amount must be no more than {} {currency}", shown(AMOUNT_MAX, currency));
        return Err(StripeError::invalid(text).code("amount_too_large").param("amount"));
    }
    Ok(())
}

/// `$12.34`, `¥1234`.
pub(in super::super) fn shown(amount: i64, currency: &str) -> String {
    let sign = COMMON.iter().find(|(name, ..)| *name == currency).map_or("", |(.., sign)| *sign);
    if WITHOUT_CENTS.contains(currency) {
        return format!("{sign}{}", with_commas(amount));
    }
    format!("{sign}{}.{:02}", with_commas(amount / 100), amount % 100)
}

fn with_commas(number: i64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_in_their_currency() {
        assert_eq!(shown(99_999_999, "usd"), "$999,999.99");
        assert_eq!((shown(5, "eur"), shown(1_500, "jpy")), ("€0.05".to_owned(), "¥1,500".to_owned()));
    }
}
