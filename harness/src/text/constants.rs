//! What a template may be written with. The engine computes constants while it reads (`'x' * 100000000` in one stroke),
//! so they are weighed before it does; and what collects its output unmetered is not part of the language.

use minijinja::{
    Error, ErrorKind, Value,
    machinery::ast::{BinOp, BinOpKind, CallArg, Expr, Stmt},
};

use super::bounded::{Weight, too_large};

pub(super) fn check(statement: &Stmt) -> Result<(), Error> {
    match statement {
        Stmt::Template(of) => check_all(&of.children),
        Stmt::EmitExpr(of) => check_expression(&of.expr),
        Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => Ok(()),
        Stmt::ForLoop(of) if of.recursive => Err(unknown("a recursive loop", "write one loop inside another")),
        Stmt::ForLoop(of) => {
            check_expression(&of.iter)?;
            of.filter_expr.iter().try_for_each(check_expression)?;
            check_all(&of.body)?;
            check_all(&of.else_body)
        }
        Stmt::IfCond(of) => {
            check_expression(&of.expr)?;
            check_all(&of.true_body)?;
            check_all(&of.false_body)
        }
        Stmt::WithBlock(of) => {
            of.assignments.iter().try_for_each(|(_, value)| check_expression(value))?;
            check_all(&of.body)
        }
        Stmt::Set(of) => check_expression(&of.expr),
        Stmt::SetBlock(_) => Err(unknown("`{% set %}` without `=`", "write `{% set name = value %}`")),
        _ => Err(unknown("this statement", "there are `for`, `if`, `set name = value` and `with`")),
    }
}

fn check_all(statements: &[Stmt]) -> Result<(), Error> {
    statements.iter().try_for_each(check)
}

pub(super) fn check_expression(expression: &Expr) -> Result<(), Error> {
    weigh(expression).map(drop)
}

/// How much a constant is; `None` for what is known only when the template is filled in.
fn weigh(expression: &Expr) -> Result<Option<Weight>, Error> {
    let weight = match expression {
        Expr::Const(of) => Some(Weight::of(&of.value).ok_or_else(too_large)?),
        Expr::List(of) => sum(&of.items)?,
        Expr::Tuple(of) => sum(&of.items)?,
        Expr::Map(of) => both(sum(&of.keys)?, sum(&of.values)?),
        Expr::UnaryOp(of) => weigh(&of.expr)?,
        Expr::BinOp(of) => weigh_operation(of)?,
        Expr::Compare(of) if of.ops.len() > 1 => {
            return Err(unknown("a chain of comparisons", "write `a < b and b < c`"));
        }
        Expr::Compare(of) => {
            let values = of.ops.iter().map(|op| &op.expr);
            values.chain([&of.expr]).try_for_each(check_expression)?;
            None
        }
        other => {
            children(other).into_iter().try_for_each(check_expression)?;
            None
        }
    };
    match weight {
        Some(weight) if !weight.fits() => Err(too_large()),
        weight => Ok(weight),
    }
}

fn weigh_operation(of: &BinOp) -> Result<Option<Weight>, Error> {
    let (left, right) = (weigh(&of.left)?, weigh(&of.right)?);
    let Some(both) = both(left, right) else { return Ok(None) };
    let count = |expression: &Expr| expression.as_const().filter(Value::is_number).map(|n| n.as_usize().unwrap_or(0));
    Ok(Some(match of.op {
        BinOpKind::Mul => match (count(&of.left), count(&of.right)) {
            (None, Some(times)) | (Some(times), None) => both.times(times.max(1)),
            _ => both,
        },
        _ => both,
    }))
}

fn both(left: Option<Weight>, right: Option<Weight>) -> Option<Weight> {
    Some(left?.plus(right?))
}

fn sum(items: &[Expr]) -> Result<Option<Weight>, Error> {
    let one = Weight { parts: 1, bytes: 0 };
    items.iter().try_fold(Some(one), |all, item| Ok(both(all, weigh(item)?)))
}

fn children<'e, 'a>(expression: &'e Expr<'a>) -> Vec<&'e Expr<'a>> {
    let of_args = |args: &'e [CallArg<'a>]| {
        args.iter().map(|arg| match arg {
            CallArg::Pos(value) | CallArg::Kwarg(_, value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                value
            }
        })
    };
    match expression {
        Expr::Slice(of) => {
            [Some(&of.expr), of.start.as_ref(), of.stop.as_ref(), of.step.as_ref()].into_iter().flatten().collect()
        }
        Expr::IfExpr(of) => [&of.test_expr, &of.true_expr].into_iter().chain(&of.false_expr).collect(),
        Expr::Filter(of) => of.expr.iter().chain(of_args(&of.args)).collect(),
        Expr::Test(of) => std::iter::once(&of.expr).chain(of_args(&of.args)).collect(),
        Expr::GetAttr(of) => vec![&of.expr],
        Expr::GetItem(of) => vec![&of.expr, &of.subscript_expr],
        Expr::Call(of) => std::iter::once(&of.expr).chain(of_args(&of.args)).collect(),
        Expr::Var(_) | Expr::Const(_) | Expr::UnaryOp(_) | Expr::BinOp(_) | Expr::Compare(_) => Vec::new(),
        Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => Vec::new(),
    }
}

fn unknown(what: &str, instead: &str) -> Error {
    Error::new(ErrorKind::SyntaxError, format!("{what} is not known here; {instead}"))
}
