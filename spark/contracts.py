"""The contracts of the ERP's tables: which columns a table has, in which order, of which Spark type.

Times are UTC instants (`timestamp`), enums are text, `numeric(p,s)` is exact.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812  # the name that Spark's own documentation gives it

Contract = dict[str, str]

ERP: dict[str, Contract] = {
    "campuses": {
        "id": "smallint",
        "name": "string",
        "city": "string",
        "department_code": "string",
        "region_code": "string",
        "region": "string",
        "capacity": "int",
        "opened_on": "date",
        "closed_on": "date",
        "monthly_rent_eur": "decimal(10,2)",
        "competitor_schools": "smallint",
        "catchment_bac_holders": "int",
        "updated_at": "timestamp",
    },
    "companies": {
        "id": "int",
        "name": "string",
        "siren": "string",
        "naf_code": "string",
        "sector": "string",
        "size_class": "string",
        "region_code": "string",
        "partner_since": "date",
        "updated_at": "timestamp",
    },
    "students": {
        "id": "int",
        "first_name": "string",
        "last_name": "string",
        "email": "string",
        "personal_email": "string",
        "gender": "string",
        "date_of_birth": "date",
        "home_region_code": "string",
        "origin_institution": "string",
        "origin_diploma": "string",
        "entry_level": "smallint",
        "campus_id": "smallint",
        "promotion": "string",
        "join_date": "date",
        "left_date": "date",
        "left_reason": "string",
        "next_school": "string",
        "hired_at": "date",
        "hired_company_id": "int",
        "hired_contract": "string",
        "created_at": "timestamp",
        "updated_at": "timestamp",
    },
    "professors": {
        "id": "int",
        "first_name": "string",
        "last_name": "string",
        "email": "string",
        "campus_id": "smallint",
        "status": "string",
        "joined_on": "date",
        "left_on": "date",
        "updated_at": "timestamp",
    },
    "subjects": {
        "id": "string",
        "name": "string",
        "level": "smallint",
        "ects": "smallint",
        "updated_at": "timestamp",
    },
    "lessons": {
        "id": "bigint",
        "subject_id": "string",
        "campus_id": "smallint",
        "professor_id": "int",
        "academic_year": "smallint",
        "group_no": "smallint",
        "starts_at": "timestamp",
        "duration_min": "smallint",
        "is_online": "boolean",
        "updated_at": "timestamp",
    },
    "attendances": {
        "lesson_id": "bigint",
        "student_id": "int",
        "status": "string",
        "recorded_at": "timestamp",
    },
    "grades": {
        "id": "bigint",
        "student_id": "int",
        "subject_id": "string",
        "academic_year": "smallint",
        "exam": "string",
        "grade": "decimal(5,2)",
        "graded_on": "date",
        "updated_at": "timestamp",
    },
    "apprenticeships": {
        "id": "int",
        "student_id": "int",
        "company_id": "int",
        "kind": "string",
        "signed_on": "date",
        "start_date": "date",
        "end_date": "date",
        "broken_on": "date",
        "monthly_pay_eur": "decimal(8,2)",
        "updated_at": "timestamp",
    },
    "events": {
        "id": "int",
        "kind": "string",
        "name": "string",
        "campus_id": "smallint",
        "starts_at": "timestamp",
        "ends_at": "timestamp",
        "cost_eur": "decimal(9,2)",
        "staff_count": "smallint",
        "updated_at": "timestamp",
    },
    "audiences": {
        "id": "bigint",
        "event_id": "int",
        "first_name": "string",
        "last_name": "string",
        "email": "string",
        "phone": "string",
        "home_region_code": "string",
        "current_institution": "string",
        "target_level": "smallint",
        "consent_marketing": "boolean",
        "collected_at": "timestamp",
        "last_contact_at": "timestamp",
        "applied_on": "date",
        "admitted_on": "date",
        "student_id": "int",
        "updated_at": "timestamp",
    },
}

INTEGERS = ("tinyint", "smallint", "int", "bigint")


class ContractBroken(Exception):
    """A table's columns or types are not what its contract says; nothing of it is written."""


def conform(table: DataFrame, name: str) -> DataFrame:
    """The table with its contract's columns, in its order and of its types; columns beside the contract are left out.

    A type is changed only where every value survives: a smaller integer, or text (read strictly: a text that is no
    such value fails the job). Raises ContractBroken otherwise.
    """
    contract = ERP[name]
    found = {field.name: field.dataType.simpleString() for field in table.schema}
    missing = [column for column in contract if column not in found]
    if missing:
        raise ContractBroken(
            f"table {name} lacks {', '.join(missing)}; it has {', '.join(found)}: "
            "give the ERP's table, or change its contract in spark/contracts.py"
        )
    for column, wanted in contract.items():
        if not _survives(found[column], wanted):
            raise ContractBroken(
                f"column {name}.{column} is {found[column]}, its contract says {wanted}: "
                "change the contract in spark/contracts.py together with the ERP"
            )
    return table.select(*(F.col(f"`{column}`").cast(wanted).alias(column) for column, wanted in contract.items()))


def _survives(found: str, wanted: str) -> bool:
    if found in (wanted, "string"):
        return True
    return found in INTEGERS and wanted in INTEGERS and INTEGERS.index(found) < INTEGERS.index(wanted)
