-- The school's ERP: eleven tables. Every table has a key and, but for attendances, an updated_at as watermark.
-- The loader runs the first block, copies the rows, then runs the second: keys and indexes are cheaper on full tables.
-- psql runs the file as it is.

-- name: tables
CREATE SCHEMA erp;

CREATE TYPE erp.attendance_status AS ENUM ('present', 'late', 'excused', 'absent');
CREATE DOMAIN erp.grade_100 AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);

CREATE TABLE erp.campuses (
    id                    smallint      NOT NULL,
    name                  text          NOT NULL,
    city                  text          NOT NULL,
    department_code       varchar(3)    NOT NULL,
    region_code           char(2)       NOT NULL,
    region                text          NOT NULL,
    capacity              int           NOT NULL CHECK (capacity > 0),
    opened_on             date          NOT NULL,
    closed_on             date,
    monthly_rent_eur      numeric(10,2),
    competitor_schools    smallint      NOT NULL DEFAULT 0,
    catchment_bac_holders int,
    updated_at            timestamptz   NOT NULL DEFAULT now(),
    CHECK (closed_on IS NULL OR closed_on > opened_on)
);

CREATE TABLE erp.companies (
    id            int         NOT NULL,
    name          text        NOT NULL,
    siren         char(9),
    naf_code      varchar(6),
    sector        text        NOT NULL,
    size_class    text        NOT NULL CHECK (size_class IN ('TPE', 'PME', 'ETI', 'GE')),
    region_code   char(2)     NOT NULL,
    partner_since date,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE erp.students (
    id                 int         NOT NULL,
    first_name         text        NOT NULL,
    last_name          text        NOT NULL,
    email              text        NOT NULL,
    personal_email     text,
    gender             char(1)     CHECK (gender IN ('F', 'M', 'X')),
    date_of_birth      date        NOT NULL,
    home_region_code   char(2),
    origin_institution text,
    origin_diploma     text,
    entry_level        smallint    NOT NULL CHECK (entry_level BETWEEN 1 AND 5),
    campus_id          smallint    NOT NULL,
    promotion          text        NOT NULL CHECK (promotion IN ('BENG1', 'BENG2', 'BSC', 'MSC1', 'MSC2')),
    join_date          date        NOT NULL,
    left_date          date,
    left_reason        text        CHECK (left_reason IN ('graduated', 'academic', 'financial', 'relocation',
                                                          'competitor', 'hired_early', 'other')),
    next_school        text,
    hired_at           date,
    hired_company_id   int,
    hired_contract     text        CHECK (hired_contract IN ('CDI', 'CDD', 'freelance')),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CHECK ((left_date IS NULL) = (left_reason IS NULL)),
    CHECK (next_school IS NULL OR left_reason = 'competitor')
);

CREATE TABLE erp.professors (
    id         int         NOT NULL,
    first_name text        NOT NULL,
    last_name  text        NOT NULL,
    email      text        NOT NULL,
    campus_id  smallint    NOT NULL,
    status     text        NOT NULL CHECK (status IN ('permanent', 'external')),
    joined_on  date        NOT NULL,
    left_on    date,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE erp.subjects (
    id         char(5)     NOT NULL CHECK (id ~ '^[1-5][A-Z]{4}$'),
    name       text        NOT NULL,
    level      smallint    NOT NULL CHECK (level BETWEEN 1 AND 5),
    ects       smallint    NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE erp.lessons (
    id            bigint      NOT NULL,
    subject_id    char(5)     NOT NULL,
    campus_id     smallint    NOT NULL,
    professor_id  int,
    academic_year smallint    NOT NULL,
    group_no      smallint    NOT NULL DEFAULT 1,
    starts_at     timestamptz NOT NULL,
    duration_min  smallint    NOT NULL CHECK (duration_min > 0),
    is_online     boolean     NOT NULL DEFAULT false,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE erp.attendances (
    lesson_id   bigint                NOT NULL,
    student_id  int                   NOT NULL,
    status      erp.attendance_status NOT NULL,
    recorded_at timestamptz           NOT NULL
);

CREATE TABLE erp.grades (
    id            bigint        NOT NULL,
    student_id    int           NOT NULL,
    subject_id    char(5)       NOT NULL,
    academic_year smallint      NOT NULL,
    exam          text          NOT NULL CHECK (exam IN ('continuous', 'final', 'resit')),
    grade         erp.grade_100,
    graded_on     date          NOT NULL,
    updated_at    timestamptz   NOT NULL DEFAULT now()
);

CREATE TABLE erp.apprenticeships (
    id              int         NOT NULL,
    student_id      int         NOT NULL,
    company_id      int         NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('contrat_pro', 'apprentissage', 'stage')),
    signed_on       date        NOT NULL,
    start_date      date        NOT NULL,
    end_date        date        NOT NULL,
    broken_on       date,
    monthly_pay_eur numeric(8,2),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (end_date > start_date)
);

CREATE TABLE erp.events (
    id          int          NOT NULL,
    kind        text         NOT NULL CHECK (kind IN ('open_day', 'fair', 'webinar')),
    name        text         NOT NULL,
    campus_id   smallint     NOT NULL,
    starts_at   timestamptz  NOT NULL,
    ends_at     timestamptz  NOT NULL,
    cost_eur    numeric(9,2) NOT NULL,
    staff_count smallint,
    updated_at  timestamptz  NOT NULL DEFAULT now(),
    CHECK (ends_at > starts_at)
);

CREATE TABLE erp.audiences (
    id                  bigint      NOT NULL,
    event_id            int         NOT NULL,
    first_name          text,
    last_name           text,
    email               text,
    phone               text,
    home_region_code    char(2),
    current_institution text,
    target_level        smallint,
    consent_marketing   boolean     NOT NULL DEFAULT false,
    collected_at        timestamptz NOT NULL,
    last_contact_at     timestamptz,
    applied_on          date,
    admitted_on         date,
    student_id          int,
    updated_at          timestamptz NOT NULL DEFAULT now()
);

-- name: keys
ALTER TABLE erp.campuses ADD PRIMARY KEY (id), ADD UNIQUE (name);
ALTER TABLE erp.companies ADD PRIMARY KEY (id), ADD UNIQUE (siren);
ALTER TABLE erp.students ADD PRIMARY KEY (id), ADD UNIQUE (email);
ALTER TABLE erp.professors ADD PRIMARY KEY (id), ADD UNIQUE (email);
ALTER TABLE erp.subjects ADD PRIMARY KEY (id);
ALTER TABLE erp.lessons ADD PRIMARY KEY (id);
ALTER TABLE erp.attendances ADD PRIMARY KEY (student_id, lesson_id);
ALTER TABLE erp.grades ADD PRIMARY KEY (id), ADD UNIQUE (student_id, subject_id, academic_year, exam);
ALTER TABLE erp.apprenticeships ADD PRIMARY KEY (id);
ALTER TABLE erp.events ADD PRIMARY KEY (id);
ALTER TABLE erp.audiences ADD PRIMARY KEY (id);

ALTER TABLE erp.students ADD FOREIGN KEY (campus_id) REFERENCES erp.campuses,
                         ADD FOREIGN KEY (hired_company_id) REFERENCES erp.companies;
ALTER TABLE erp.professors ADD FOREIGN KEY (campus_id) REFERENCES erp.campuses;
ALTER TABLE erp.lessons ADD FOREIGN KEY (subject_id) REFERENCES erp.subjects,
                        ADD FOREIGN KEY (campus_id) REFERENCES erp.campuses,
                        ADD FOREIGN KEY (professor_id) REFERENCES erp.professors;
ALTER TABLE erp.attendances ADD FOREIGN KEY (lesson_id) REFERENCES erp.lessons,
                            ADD FOREIGN KEY (student_id) REFERENCES erp.students;
ALTER TABLE erp.grades ADD FOREIGN KEY (student_id) REFERENCES erp.students,
                       ADD FOREIGN KEY (subject_id) REFERENCES erp.subjects;
ALTER TABLE erp.apprenticeships ADD FOREIGN KEY (student_id) REFERENCES erp.students,
                                ADD FOREIGN KEY (company_id) REFERENCES erp.companies;
ALTER TABLE erp.events ADD FOREIGN KEY (campus_id) REFERENCES erp.campuses;
ALTER TABLE erp.audiences ADD FOREIGN KEY (event_id) REFERENCES erp.events,
                          ADD FOREIGN KEY (student_id) REFERENCES erp.students;

-- Foreign keys, incremental reading by watermark, and the join that resolves identities by e-mail.
CREATE INDEX ON erp.students (campus_id, join_date);
CREATE INDEX ON erp.students (updated_at, id);
CREATE INDEX ON erp.students (lower(personal_email));
CREATE INDEX ON erp.students (hired_company_id);
CREATE INDEX ON erp.lessons (campus_id, academic_year, subject_id);
CREATE INDEX ON erp.lessons USING brin (starts_at);
CREATE INDEX ON erp.attendances (lesson_id);
CREATE INDEX ON erp.attendances USING brin (recorded_at);
CREATE INDEX ON erp.grades (subject_id, academic_year);
CREATE INDEX ON erp.grades (updated_at, id);
CREATE INDEX ON erp.apprenticeships (student_id);
CREATE INDEX ON erp.apprenticeships (company_id, start_date);
CREATE INDEX ON erp.events (campus_id, starts_at);
CREATE INDEX ON erp.audiences (event_id);
CREATE INDEX ON erp.audiences (lower(email));
CREATE INDEX ON erp.audiences (student_id);
CREATE INDEX ON erp.audiences (last_contact_at);
