//! The engine of templates: minijinja, in which everything that makes or walks values is metered. It has no hook for its
//! operators, so the program that it compiles is rewritten: an operator becomes the filter of its sign.

use std::{collections::BTreeMap, sync::LazyLock};

use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value,
    machinery::{self, CodeGenerator, Instruction, Instructions},
    syntax::SyntaxConfig,
};

use super::{
    bounded::Meter,
    constants, functions,
    operations::{self, sign},
};

const FUEL_MAX: u64 = 50_000; // instructions per template; a loop over any sensible list fits
const UNCACHED: u8 = !0; // a filter that is looked up anew

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL_MAX));
    environment.set_formatter(show);
    environment.set_syntax(syntax());
    operations::register(&mut environment);
    functions::register(&mut environment);
    environment
});

fn syntax() -> SyntaxConfig {
    // The file said where lines end; input that is typed needs it.
    SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the default marks differ")
}

fn show(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    Meter::of(state).show(value, out)
}

/// The names that a template uses and does not define itself, sorted. An error is one of its grammar.
pub(super) fn undeclared(text: &str) -> Result<Vec<String>, Error> {
    constants::check(&machinery::parse(text, "", syntax())?)?;
    let mut names: Vec<_> = ENVIRONMENT.template_from_str(text)?.undeclared_variables(false).into_iter().collect();
    names.sort();
    Ok(names)
}

/// Fills in a template.
pub(super) fn filled(text: &str, context: Value) -> Result<String, Error> {
    let parsed = machinery::parse(text, "", syntax())?;
    constants::check(&parsed)?;
    let mut generator = CodeGenerator::new("", text);
    generator.compile_stmt(&parsed);
    let mut out = String::new();
    run(generator, text, context, &mut out)?;
    Ok(out)
}

/// The value of an expression.
pub(super) fn value(expression: &str, context: Value) -> Result<Value, Error> {
    let parsed = machinery::parse_expr(expression)?;
    constants::check_expression(&parsed)?;
    let mut generator = CodeGenerator::new("", expression);
    generator.compile_expr(&parsed);
    Ok(run(generator, expression, context, &mut String::new())?.unwrap_or_default())
}

fn run(plain: CodeGenerator, text: &str, context: Value, out: &mut String) -> Result<Option<Value>, Error> {
    let (plain, blocks) = (plain.finish().0, BTreeMap::new());
    let program = metered(&plain, text)?;
    let mut out = machinery::make_string_output(out);
    machinery::eval(&ENVIRONMENT, &program, context, &blocks, &mut out, AutoEscape::None).map(|(value, _)| value)
}

/// The same program, metered. Text outside of marks is shown as a value is, which takes one instruction more.
fn metered<'a>(plain: &Instructions<'a>, text: &'a str) -> Result<Instructions<'a>, Error> {
    let all = || (0..).map_while(|index| plain.get(index));
    let moved: Vec<u32> = all()
        .scan(0, |at, instruction| {
            let here = *at;
            *at += if matches!(instruction, Instruction::EmitRaw(_)) { 2 } else { 1 };
            Some(here)
        })
        .collect();
    let end = moved.last().map_or(0, |last| last + 1);
    let target = |index: u32| moved.get(index as usize).copied().unwrap_or(end);
    let mut program = Instructions::new("", text);
    for (index, instruction) in (0..).zip(all()) {
        let mut add = |instruction| match plain.get_span(index) {
            Some(span) => program.add_with_span(instruction, span),
            None => program.add(instruction),
        };
        match instruction {
            Instruction::EmitRaw(raw) => {
                add(Instruction::LoadConst(Value::from(*raw)));
                add(Instruction::Emit);
            }
            Instruction::Iterate(to) => drop(add(Instruction::Iterate(target(*to)))),
            Instruction::Jump(to) => drop(add(Instruction::Jump(target(*to)))),
            Instruction::JumpIfFalse(to) => drop(add(Instruction::JumpIfFalse(target(*to)))),
            Instruction::JumpIfFalseOrPop(to) => drop(add(Instruction::JumpIfFalseOrPop(target(*to)))),
            Instruction::JumpIfTrueOrPop(to) => drop(add(Instruction::JumpIfTrueOrPop(target(*to)))),
            other => drop(add(operation(other)?.unwrap_or_else(|| other.clone()))),
        }
    }
    Ok(program)
}

/// The filter that stands in for an instruction.
fn operation(instruction: &Instruction) -> Result<Option<Instruction<'static>>, Error> {
    let (sign, arguments) = match instruction {
        Instruction::Add => (sign::ADD, Some(2)),
        Instruction::Mul => (sign::REPEAT, Some(2)),
        Instruction::StringConcat => (sign::CONCAT, Some(2)),
        Instruction::Eq => (sign::EQUAL, Some(2)),
        Instruction::Ne => (sign::UNEQUAL, Some(2)),
        Instruction::Lt => (sign::LESS, Some(2)),
        Instruction::Lte => (sign::LESS_OR_EQUAL, Some(2)),
        Instruction::Gt => (sign::GREATER, Some(2)),
        Instruction::Gte => (sign::GREATER_OR_EQUAL, Some(2)),
        Instruction::In => (sign::IN, Some(2)),
        Instruction::Slice => (sign::SLICE, Some(4)),
        Instruction::BuildList(items) => (sign::LIST, *items),
        Instruction::BuildTuple(items) => (sign::TUPLE, *items),
        Instruction::BuildMap(entries) => (sign::MAP, Some(entries * 2)),
        _ => return Ok(None),
    };
    let arguments = arguments.map(|count| u16::try_from(count).map_err(|_| super::bounded::too_large())).transpose()?;
    Ok(Some(Instruction::ApplyFilter(sign, arguments, UNCACHED)))
}
