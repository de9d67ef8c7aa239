//! The surface of the API: which parameters each operation takes and which fields each object has. It is data, written
//! from the types of the official SDK; `form` reads requests by it, `shape` makes objects by it.
//!
//! It says nothing about behaviour. Start at [`surface`].

mod form;
mod grammar;
mod shape;

use std::{collections::HashMap, sync::LazyLock};

pub(super) use self::{
    form::read,
    shape::{blank, empty, object},
};

const TEXT: &str = include_str!("surface.txt");

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Metadata,
    Range,
    /// Taken as it is: the twin does not look inside.
    Anything,
    OneOf(Vec<&'static str>),
    /// An integer, or one of these words.
    IntegerOr(Vec<&'static str>),
    List(Box<Self>),
    Object(Vec<Field>),
    /// The id of an object that can be expanded; without a name it is none of this twin.
    Reference(&'static str),
    /// A page of objects inside another.
    Page,
}

/// A parameter of an operation or a field of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) presence: Presence,
    /// May be null; of a parameter: may be unset.
    pub(super) nullable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// A parameter that must be given.
    Required,
    /// A field that an object always has, a parameter that may be left out.
    Usual,
    /// A field that some objects have.
    Optional,
}

type Fields = HashMap<&'static str, Vec<Field>>;

pub(super) struct Surface {
    params: Fields,
    objects: Fields,
}

/// Read once, when a first request needs it.
pub(super) fn surface() -> &'static Surface {
    static SURFACE: LazyLock<Surface> = LazyLock::new(|| {
        let (params, objects) = grammar::parse(TEXT).expect("the surface that ships is well-formed: a test reads it");
        Surface { params, objects }
    });
    &SURFACE
}

impl Surface {
    /// The parameters of an operation; none where the table has no such operation.
    pub(super) fn params(&self, operation: &str) -> &[Field] {
        self.params.get(operation).map_or(&[], Vec::as_slice)
    }

    pub(super) fn object(&self, name: &str) -> &[Field] {
        self.objects.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Field {
    pub(super) fn find<'f>(fields: &'f [Self], name: &str) -> Option<&'f Self> {
        fields.iter().find(|field| field.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surface_that_ships_is_read() {
        let amount =
            Field::find(surface().params("payment_intents.create"), "amount").expect("payments have an amount");
        assert_eq!(amount.presence, Presence::Required);
        assert!(matches!(amount.kind, Kind::Integer));
        let customer = Field::find(surface().object("charge"), "customer").expect("charges have a customer");
        assert!(matches!(customer.kind, Kind::Reference("customer")) && customer.nullable);
        let each = || surface().params.values().chain(surface().objects.values());
        assert!(each().flatten().count() > 1_000);
    }

    #[test]
    fn every_operation_of_the_table_has_its_parameters() {
        use crate::twin::Twin;
        for operation in super::super::Stripe::OPERATIONS {
            assert!(surface().params.contains_key(operation.name), "{} is not in surface.txt", operation.name);
        }
    }
}
