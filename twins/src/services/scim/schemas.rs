//! The schemas of RFC 7643: users, what an enterprise adds to them, groups.

use serde_json::{Value, json};

use super::schema::{Attribute, binary, boolean, complex, instant, named, reference, text};
use crate::http::Request;

pub(super) struct Schema {
    pub(super) id: &'static str,
    name: &'static str,
    about: &'static str,
    pub(super) attributes: &'static [Attribute],
}

/// What there are resources of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    User,
    Group,
}

pub(super) const TYPES: [Type; 2] = [Type::User, Type::Group];

/// Names of addresses, numbers and the like.
const PLACES: &[&str] = &["work", "home", "other"];

const PRIMARY: Attribute = boolean("primary", "Whether it is the preferred one; at most one is.");
const DISPLAY: Attribute = text("display", "A name to show.");
const PLACE: Attribute = text("type", "What it is for.").usually(PLACES);

/// What every resource has; `/Schemas` does not repeat it.
pub(super) const COMMON: &[Attribute] = &[
    text("id", "Given by the service.").exact().unique().always().read_only(),
    text("externalId", "Given by the client.").exact(),
    complex(
        "meta",
        &[
            text("resourceType", "What it is.").exact().read_only(),
            instant("created", "When it was made.").read_only(),
            instant("lastModified", "When it was changed.").read_only(),
            reference("location", &["uri"], "Where it is.").read_only(),
            text("version", "Its entity tag.").exact().read_only(),
        ],
        "About the resource.",
    )
    .read_only(),
];

const USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    about: "A person with an account",
    attributes: &[
        text("userName", "What the person signs in with.").required().unique(),
        complex(
            "name",
            &[
                text("formatted", "The whole name."),
                text("familyName", "The family's name."),
                text("givenName", "The first name."),
                text("middleName", "The names between."),
                text("honorificPrefix", "A title before the name."),
                text("honorificSuffix", "A title behind the name."),
            ],
            "The parts of the name.",
        ),
        text("displayName", "The name to show."),
        text("nickName", "What friends say."),
        reference("profileUrl", &["external"], "A page about the person."),
        text("title", "The position."),
        text("userType", "How the person belongs to the organization."),
        text("preferredLanguage", "As in an Accept-Language header."),
        text("locale", "For numbers, dates and currencies."),
        text("timezone", "A name of the time zone database."),
        boolean("active", "Whether the account may be used."),
        text("password", "To sign in with; never shown.").secret(),
        complex("emails", &[text("value", "The address."), DISPLAY, PLACE, PRIMARY], "Addresses for mail.").many(),
        complex(
            "phoneNumbers",
            &[
                text("value", "The number."),
                DISPLAY,
                text("type", "What it is for.").usually(&["work", "home", "mobile", "fax", "pager", "other"]),
                PRIMARY,
            ],
            "Numbers to call.",
        )
        .many(),
        complex(
            "ims",
            &[
                text("value", "The address."),
                DISPLAY,
                text("type", "Which service.").usually(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
                PRIMARY,
            ],
            "Addresses for messages.",
        )
        .many(),
        complex(
            "photos",
            &[
                reference("value", &["external"], "Where it is."),
                DISPLAY,
                text("type", "How large it is.").usually(&["photo", "thumbnail"]),
                PRIMARY,
            ],
            "Pictures of the person.",
        )
        .many(),
        complex(
            "addresses",
            &[
                text("formatted", "All of it."),
                text("streetAddress", "Street and number."),
                text("locality", "The town."),
                text("region", "The state or region."),
                text("postalCode", "The postal code."),
                text("country", "Two letters of ISO 3166-1."),
                PLACE,
                PRIMARY,
            ],
            "Where the person lives and works.",
        )
        .many(),
        complex(
            "groups",
            &[
                text("value", "The id of the group.").read_only(),
                reference("$ref", &["Group"], "Where the group is.").read_only(),
                text("display", "The name of the group.").read_only(),
                text("type", "How the person came in.").usually(&["direct", "indirect"]).read_only(),
            ],
            "The groups that the person is in.",
        )
        .many()
        .read_only(),
        complex("entitlements", &[text("value", "The right."), DISPLAY, text("type", "Its kind."), PRIMARY], "Rights.")
            .many(),
        complex("roles", &[text("value", "The role."), DISPLAY, text("type", "Its kind."), PRIMARY], "Roles.").many(),
        complex(
            "x509Certificates",
            &[binary("value", "The certificate."), DISPLAY, text("type", "Its kind."), PRIMARY],
            "Certificates of the person.",
        )
        .many(),
    ],
};

const ENTERPRISE: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    about: "What an organization knows of a person",
    attributes: &[
        text("employeeNumber", "The number of the employee."),
        text("costCenter", "The cost center."),
        text("organization", "The organization."),
        text("division", "The division."),
        text("department", "The department."),
        complex(
            "manager",
            &[
                text("value", "The id of the manager."),
                reference("$ref", &["User"], "Where the manager is."),
                text("displayName", "The name of the manager.").read_only(),
            ],
            "The manager.",
        ),
    ],
};

const GROUP: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    about: "A group of users and groups",
    attributes: &[
        text("displayName", "The name of the group.").required(),
        complex(
            "members",
            &[
                text("value", "The id of the member.").immutable(),
                reference("$ref", &["User", "Group"], "Where the member is.").immutable(),
                text("type", "What the member is.").usually(&["User", "Group"]).immutable(),
                text("display", "The name of the member.").read_only(),
            ],
            "Who is in the group.",
        )
        .many(),
    ],
};

pub(super) const ALL: [&Schema; 3] = [&USER, &ENTERPRISE, &GROUP];

impl Type {
    /// What the path of a request is about.
    pub(super) fn of(request: &Request) -> Self {
        let is_group = |part: &str| part == "Groups";
        if request.path.split('/').any(is_group) { Self::Group } else { Self::User }
    }

    pub(super) fn name(self) -> &'static str {
        self.core().name
    }

    pub(super) fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    pub(super) fn core(self) -> &'static Schema {
        match self {
            Self::User => &USER,
            Self::Group => &GROUP,
        }
    }

    pub(super) fn extension(self) -> Option<&'static Schema> {
        match self {
            Self::User => Some(&ENTERPRISE),
            Self::Group => None,
        }
    }

    /// An attribute of the resource itself, common ones included.
    pub(super) fn attribute(self, name: &str) -> Option<&'static Attribute> {
        named(self.core().attributes, name).or_else(|| named(COMMON, name))
    }
}

impl Schema {
    pub(super) fn json(&self, location: &str) -> Value {
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": self.id, "name": self.name,
            "description": self.about, "attributes": self.attributes.iter().map(Attribute::json).collect::<Vec<_>>(),
            "meta": {"resourceType": "Schema", "location": location}})
    }
}
