from builder.lint.schedules import findings


def test_rules_and_schedules_are_looked_at_and_rules_without_a_schedule_are_not() -> None:
    bad = {"Properties": {"ScheduleExpression": "rate(1 minutes)"}}
    found = findings(
        {
            "Resources": {
                "Rule": {"Type": "AWS::Events::Rule", **bad},
                "Schedule": {"Type": "AWS::Scheduler::Schedule", **bad},
                "Pattern": {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {}}},
                "Other": {"Type": "AWS::SNS::Topic", **bad},
            }
        }
    )
    assert [one.resource for one in found] == ["Rule", "Schedule"]
