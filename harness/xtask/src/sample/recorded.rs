//! The answers of a made-up model: right and wrong ones, in the wording of models.

use super::problems::{Problem, with_thousands};
use serde_json::{Value, json};

/// One answer to each problem, found by `index`. Of six in a row four are right, one is wrong, and one is no answer.
pub(crate) fn answers(problems: &[Problem]) -> Vec<Value> {
    let rows = problems.iter().enumerate().map(|(index, problem)| {
        let steps = problem.steps.join("\n");
        let (right, plain) = (with_thousands(problem.answer), problem.answer);
        let completion = match index % 6 {
            0 => format!(" {steps}\n#### {plain}"),
            1 => format!(" {steps} The answer is {right}."),
            2 => format!(" {steps}\nSo it is ${right}.00, I think."),
            3 => format!(" {}\n#### {}", problem.steps[0], plain + 1 + index as i64),
            4 => format!(" {steps}\n#### {right}\n\nQuestion: How many are 2 and 2?\nAnswer: #### 4"),
            _ => " I cannot tell from what is given.".to_owned(),
        };
        json!({ "index": index, "completion": completion })
    });
    rows.collect()
}
