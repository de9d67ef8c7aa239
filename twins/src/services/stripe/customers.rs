//! Customers: a name to hang payments on.

use super::{Stripe, errors::StripeError, expand, objects::Customer, params::Params};
use crate::{
    http::Request,
    twin::{Answer, Context},
};

const CREATE: &[&str] = &[
    "address",
    "balance",
    "description",
    "email",
    "invoice_prefix",
    "invoice_settings",
    "metadata",
    "name",
    "payment_method",
    "phone",
    "preferred_locales",
    "shipping",
    "source",
    "tax_exempt",
];

impl Stripe {
    pub(super) fn create_customer(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let params = Params::new(request.tracked(), CREATE).map_err(|error| error.reply(context))?;
        let customer = Customer {
            id: context.id("cus_", 14),
            created: context.unix(),
            email: params.owned("email"),
            name: params.owned("name"),
            phone: params.owned("phone"),
            description: params.owned("description"),
            metadata: params.metadata(),
        };
        let (id, shown) = (customer.id.clone(), customer.json());
        self.customers.insert(&id, customer);
        self.happened(context, "customer.created", shown.clone());
        expand::reply(self, context, request, shown)
    }

    pub(super) fn retrieve_customer(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        match self.customers.get(id) {
            Some(customer) => expand::reply(self, context, request, customer.json()),
            None => Err(StripeError::no_such(404, "customer", id, "id").reply(context)),
        }
    }
}
