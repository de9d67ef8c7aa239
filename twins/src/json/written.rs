//! How values are written in code: `json!({"amount": amount, "card": {"brand": "visa", "checks": null}})`.

use super::{Map, Number, Text, Value};

/// An object, a list, or whatever is [`Written`]. Texts that stand in the code itself are not copied.
macro_rules! json {
    (@fields [$($done:expr,)*]) => { $crate::json::Map::of([$($done),*]) };
    (@fields [$($done:expr,)*] $name:literal : null $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [$($done,)* ($name, $crate::json::Value::Null),] $($($rest)*)?)
    };
    (@fields [$($done:expr,)*] $name:literal : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [$($done,)* ($name, $crate::json::json!({ $($inner)* })),] $($($rest)*)?)
    };
    (@fields [$($done:expr,)*] $name:literal : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [$($done,)* ($name, $crate::json::json!([ $($inner)* ])),] $($($rest)*)?)
    };
    (@fields [$($done:expr,)*] $name:literal : $value:literal $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [$($done,)* ($name, $crate::json::literal($value)),] $($($rest)*)?)
    };
    (@fields [$($done:expr,)*] $name:literal : $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [$($done,)* ($name, $crate::json::Written::written(&$value)),] $($($rest)*)?)
    };
    (@items [$($done:expr,)*]) => { vec![$($done),*] };
    (@items [$($done:expr,)*] { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::json!(@items [$($done,)* $crate::json::json!({ $($inner)* }),] $($($rest)*)?)
    };
    (@items [$($done:expr,)*] [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::json::json!(@items [$($done,)* $crate::json::json!([ $($inner)* ]),] $($($rest)*)?)
    };
    (@items [$($done:expr,)*] $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::json!(@items [$($done,)* $crate::json::Written::written(&$value),] $($($rest)*)?)
    };
    (null) => { $crate::json::Value::Null };
    ({}) => { $crate::json::Value::Object($crate::json::Map::new()) };
    ({ $($fields:tt)+ }) => { $crate::json::Value::Object($crate::json::json!(@fields [] $($fields)+)) };
    ([]) => { $crate::json::Value::Array(std::sync::Arc::default()) };
    ([ $($items:tt)+ ]) => { $crate::json::Value::from($crate::json::json!(@items [] $($items)+)) };
    ($value:literal) => { $crate::json::literal($value) };
    ($value:expr) => { $crate::json::Written::written(&$value) };
}
pub(crate) use json;

/// What can stand in a value.
pub(crate) trait Written {
    fn written(&self) -> Value;
}

/// A value that stands in the code.
pub(crate) fn literal(value: impl Literal) -> Value {
    value.value()
}

pub(crate) trait Literal {
    fn value(self) -> Value;
}

impl Literal for &'static str {
    fn value(self) -> Value {
        Value::String(Text::Known(self))
    }
}

impl Literal for i64 {
    fn value(self) -> Value {
        self.written()
    }
}

impl Literal for f64 {
    fn value(self) -> Value {
        self.written()
    }
}

impl Literal for bool {
    fn value(self) -> Value {
        self.written()
    }
}

impl Written for Value {
    fn written(&self) -> Value {
        self.clone()
    }
}

impl Written for str {
    fn written(&self) -> Value {
        Value::String(self.into())
    }
}

impl<T: Written + ?Sized> Written for &T {
    fn written(&self) -> Value {
        (**self).written()
    }
}

impl<T: Written> Written for Option<T> {
    fn written(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::written)
    }
}

impl<T: Written> Written for [T] {
    fn written(&self) -> Value {
        self.iter().map(T::written).collect()
    }
}

impl<T: Written> Written for Vec<T> {
    fn written(&self) -> Value {
        self.as_slice().written()
    }
}

/// Both [`Written`] and `into`, which values that are at hand need.
macro_rules! from {
    ($($kind:ty, |$it:ident| $value:expr;)*) => {
        $(
            impl Written for $kind {
                fn written(&self) -> Value {
                    self.clone().into()
                }
            }

            impl From<$kind> for Value {
                fn from($it: $kind) -> Self {
                    $value
                }
            }
        )*
    };
}

from! {
    bool, |it| Self::Bool(it);
    i32, |it| Self::Number(Number::Integer(it.into()));
    i64, |it| Self::Number(Number::Integer(it));
    f64, |it| Self::Number(Number::Float(it));
    usize, |it| Self::Number(Number::Integer(i64::try_from(it).unwrap_or(i64::MAX)));
    String, |it| Self::String(it.as_str().into());
    Text, |it| Self::String(it);
    Map, |it| Self::Object(it);
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(std::sync::Arc::new(items))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}
