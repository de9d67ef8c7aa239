//! What templates compute with: the engine's own operators, filters, tests and functions, each of which first tells the
//! [`Meter`] what it takes and makes. What the engine does beside them costs no more than its fuel. Start at [`register`].

use std::{collections::BTreeMap, sync::LazyLock};

use minijinja::{
    Environment, Error, Expression, State, UndefinedBehavior, Value, filters, functions, tests,
    value::{Rest, Serde, Tuple, ValueKind, ValueOrKwargs},
};
use serde::{Serialize, Serializer};

use super::bounded::{Meter, Weight};

/// The name under which an operation that is written as signs is called.
pub(super) mod sign {
    pub(in super::super) const ADD: &str = "+";
    pub(in super::super) const REPEAT: &str = "*";
    pub(in super::super) const CONCAT: &str = "~";
    pub(in super::super) const EQUAL: &str = "==";
    pub(in super::super) const UNEQUAL: &str = "!=";
    pub(in super::super) const LESS: &str = "<";
    pub(in super::super) const LESS_OR_EQUAL: &str = "<=";
    pub(in super::super) const GREATER: &str = ">";
    pub(in super::super) const GREATER_OR_EQUAL: &str = ">=";
    pub(in super::super) const IN: &str = "in";
    pub(in super::super) const SLICE: &str = "[:]";
    pub(in super::super) const LIST: &str = "[]";
    pub(in super::super) const TUPLE: &str = "()";
    pub(in super::super) const MAP: &str = "{}";
}

const OPERATORS: [(&str, &str); 11] = [
    (sign::ADD, "a + b"),
    (sign::REPEAT, "a * b"),
    (sign::CONCAT, "a ~ b"),
    (sign::EQUAL, "a == b"),
    (sign::UNEQUAL, "a != b"),
    (sign::LESS, "a < b"),
    (sign::LESS_OR_EQUAL, "a <= b"),
    (sign::GREATER, "a > b"),
    (sign::GREATER_OR_EQUAL, "a >= b"),
    (sign::IN, "a in b"),
    (sign::SLICE, "a[b:c:d]"),
];

/// The engine as it is, which knows what its operators mean.
static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
});

static COMPILED: LazyLock<BTreeMap<&'static str, Expression<'static, 'static>>> = LazyLock::new(|| {
    let compiled = |text| PLAIN.compile_expression(text).expect("an expression of two names");
    OPERATORS.into_iter().map(|(sign, text)| (sign, compiled(text))).collect()
});

/// All of them, named ones in the last.
type Arguments = Rest<ValueOrKwargs>;

/// Filters and tests that look at no more than a few bytes of what they are given are left as they are.
pub(super) fn register(environment: &mut Environment<'static>) {
    for (sign, _) in OPERATORS {
        environment.add_filter(sign, move |state: &mut State, args: Arguments| {
            metered(sign, state, &args.into_values(), |_, args| operate(sign, args))
        });
    }
    environment.add_filter(sign::LIST, |state: &mut State, args: Arguments| {
        metered(sign::LIST, state, &args.into_values(), |_, args| Ok(args.to_vec().into()))
    });
    environment.add_filter(sign::TUPLE, |state: &mut State, args: Arguments| {
        metered(sign::TUPLE, state, &args.into_values(), |_, args| Ok(Tuple::from(args.to_vec()).into()))
    });
    environment.add_filter(sign::MAP, |state: &mut State, args: Arguments| {
        metered(sign::MAP, state, &args.into_values(), |_, args| Ok(Value::from(Serde(Entries(args)))))
    });
    // It indents by the depth, which no one who fills in a request needs.
    environment.remove_filter("pprint");
    for (name, plain) in plain_filters() {
        add_filter(environment, name, plain);
    }
    for (name, plain) in plain_tests() {
        environment.add_test(name, move |state: &mut State, args: Arguments| {
            metered(name, state, &args.into_values(), |state, args| plain.call(state, args))
                .map(|answer| answer.is_true())
        });
    }
    for (name, plain) in
        [("dict", Value::from_function(functions::dict)), ("range", Value::from_function(functions::range))]
    {
        environment.add_function(name, move |state: &mut State, args: Arguments| {
            metered(name, state, &args.into_values(), |state, args| plain.call(state, args))
        });
    }
}

pub(super) fn add_filter(environment: &mut Environment<'static>, name: &'static str, plain: Value) {
    environment.add_filter(name, move |state: &mut State, args: Arguments| {
        metered(name, state, &args.into_values(), |state, args| plain.call(state, args))
    });
}

fn plain_filters() -> [(&'static str, Value); 43] {
    [
        ("abs", Value::from_function(filters::abs)),
        ("batch", Value::from_function(filters::batch)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("chain", Value::from_function(filters::chain)),
        ("dictsort", Value::from_function(filters::dictsort)),
        ("e", Value::from_function(filters::escape)),
        ("escape", Value::from_function(filters::escape)),
        ("float", Value::from_function(filters::float)),
        ("format", Value::from_function(filters::format)),
        ("groupby", Value::from_function(filters::groupby)),
        ("indent", Value::from_function(filters::indent)),
        ("int", Value::from_function(filters::int)),
        ("items", Value::from_function(filters::items)),
        ("join", Value::from_function(filters::join)),
        ("last", Value::from_function(filters::last)),
        ("lines", Value::from_function(filters::lines)),
        ("list", Value::from_function(filters::list)),
        ("lower", Value::from_function(filters::lower)),
        ("map", Value::from_function(filters::map)),
        ("max", Value::from_function(filters::max)),
        ("min", Value::from_function(filters::min)),
        ("reject", Value::from_function(filters::reject)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
        ("replace", Value::from_function(filters::replace)),
        ("reverse", Value::from_function(filters::reverse)),
        ("round", Value::from_function(filters::round)),
        ("safe", Value::from_function(filters::safe)),
        ("select", Value::from_function(filters::select)),
        ("selectattr", Value::from_function(filters::selectattr)),
        ("slice", Value::from_function(filters::slice)),
        ("sort", Value::from_function(filters::sort)),
        ("split", Value::from_function(filters::split)),
        ("string", Value::from_function(filters::string)),
        ("sum", Value::from_function(filters::sum)),
        ("title", Value::from_function(filters::title)),
        ("trim", Value::from_function(filters::trim)),
        ("unique", Value::from_function(filters::unique)),
        ("upper", Value::from_function(filters::upper)),
        ("zip", Value::from_function(filters::zip)),
        ("attr", Value::from_function(filters::attr)),
        ("bool", Value::from_function(filters::bool)),
        ("default", Value::from_function(filters::default)),
        ("d", Value::from_function(filters::default)),
    ]
}

fn plain_tests() -> [(&'static str, Value); 25] {
    let [equal, unequal] = [Value::from_function(tests::is_eq), Value::from_function(tests::is_ne)];
    let [less, greater] = [Value::from_function(tests::is_lt), Value::from_function(tests::is_gt)];
    let [at_most, at_least] = [Value::from_function(tests::is_le), Value::from_function(tests::is_ge)];
    [
        ("eq", equal.clone()),
        ("equalto", equal.clone()),
        ("==", equal),
        ("ne", unequal.clone()),
        ("!=", unequal),
        ("lt", less.clone()),
        ("lessthan", less.clone()),
        ("<", less),
        ("le", at_most.clone()),
        ("<=", at_most),
        ("gt", greater.clone()),
        ("greaterthan", greater.clone()),
        (">", greater),
        ("ge", at_least.clone()),
        (">=", at_least),
        ("in", Value::from_function(tests::is_in)),
        ("sameas", Value::from_function(tests::is_sameas)),
        ("startingwith", Value::from_function(tests::is_startingwith)),
        ("endingwith", Value::from_function(tests::is_endingwith)),
        ("lower", Value::from_function(tests::is_lower)),
        ("upper", Value::from_function(tests::is_upper)),
        ("divisibleby", Value::from_function(tests::is_divisibleby)),
        ("odd", Value::from_function(tests::is_odd)),
        ("even", Value::from_function(tests::is_even)),
        ("true", Value::from_function(tests::is_true)),
    ]
}

/// Does it, unless it takes or makes too much. Elements on demand are made at once: each look at them would cost anew.
fn metered(
    name: &str,
    state: &mut State,
    args: &[Value],
    plain: impl FnOnce(&mut State, &[Value]) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let taken = Meter::of(state).take(args)?;
    let grown = growth(name, args, taken);
    Meter::of(state).make(grown)?;
    let made = plain(state, args)?;
    Meter::of(state).take(std::slice::from_ref(&made))?;
    Ok(if made.kind() == ValueKind::Iterable { made.try_iter()?.collect() } else { made })
}

fn operate(sign: &str, args: &[Value]) -> Result<Value, Error> {
    let names = ["a", "b", "c", "d"].into_iter();
    COMPILED[sign].eval(names.zip(args.iter().cloned()).collect::<BTreeMap<_, _>>())
}

/// Names and values that alternate, as a map in this order.
struct Entries<'a>(&'a [Value]);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.chunks_exact(2).map(|pair| (&pair[0], &pair[1])))
    }
}

/// The most that comes of it where that may be far more than what it takes.
fn growth(name: &str, args: &[Value], taken: Weight) -> Weight {
    let number = || args.iter().skip(1).map(largest).max().unwrap_or_default();
    let length = |index: usize| args.get(index).map_or(0, |value| value.len().unwrap_or_default());
    let bytes = |bytes| Weight { parts: 1, bytes };
    let parts = |parts| Weight { parts, bytes: 0 };
    match name {
        sign::REPEAT => match args {
            [one, other] => taken.times(one.as_usize().or_else(|| other.as_usize()).unwrap_or(1).max(1)),
            _ => taken,
        }
        .when(args.iter().any(|value| !value.is_number())),
        "join" => bytes(length(0).saturating_mul(taken.bytes.saturating_sub(total_bytes(&args[..1])))),
        "replace" => {
            bytes((length(0) / length(1).max(1) + 1).saturating_mul(total_bytes(args.get(2..).unwrap_or_default())))
        }
        "indent" => bytes(number().saturating_mul(args[0].as_str().map_or(0, |text| text.lines().count()))),
        "batch" | "slice" => parts(number()),
        "format" => bytes(args[0].as_str().map_or(0, widths).saturating_add(number())),
        // What is no number is put together anew for each element.
        "sum" if taken.bytes > 0 || args[0].try_iter().is_ok_and(|mut items| items.any(|item| !item.is_number())) => {
            taken.times(length(0).max(1))
        }
        _ => Weight::default(),
    }
}

impl Weight {
    fn when(self, holds: bool) -> Self {
        if holds { self } else { Self::default() }
    }
}

fn total_bytes(values: &[Value]) -> usize {
    values.iter().filter_map(Weight::of).fold(Weight::default(), Weight::plus).bytes
}

/// The largest number that an argument is, or that named arguments hold.
fn largest(value: &Value) -> usize {
    match value.kind() {
        ValueKind::Map => {
            let values = value.try_iter().into_iter().flatten().filter_map(|key| value.get_item(&key).ok());
            values.filter_map(|value| value.as_usize()).max().unwrap_or_default()
        }
        _ => value.as_usize().unwrap_or_default(),
    }
}

/// All numbers in a format: no field is wider than that.
fn widths(format: &str) -> usize {
    let numbers = format.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    numbers.map(|digits| digits.parse().unwrap_or(usize::MAX)).fold(0, usize::saturating_add)
}
