-- What a new hosted Supabase project has before the first migration, as far as this project uses it:
-- roles, the schemas auth and extensions, and the tables that Supabase Auth keeps. Runs once a database, as
-- supabase_admin; roles belong to the whole server, so they are made only when they are missing.
-- New projects (since 30 May 2026) grant the API roles nothing on the tables of public: no default privileges here.

do $roles$
begin
    if not exists (select from pg_roles where rolname = 'postgres') then
        create role postgres login nosuperuser createdb createrole bypassrls;
        create role anon nologin;
        create role authenticated nologin;
        create role service_role nologin bypassrls;
        create role authenticator login noinherit;
        create role supabase_auth_admin login noinherit;
        grant anon, authenticated, service_role to authenticator;
        grant anon, authenticated, service_role to postgres with admin option;

        alter role postgres set search_path to "$user", public, extensions;
        alter role supabase_admin set search_path to "$user", public, auth, extensions;
        alter role supabase_auth_admin set search_path to auth;
        alter role supabase_auth_admin set idle_in_transaction_session_timeout to 60000;
        alter role anon set statement_timeout to '3s';
        alter role authenticated set statement_timeout to '8s';
        alter role authenticator set statement_timeout to '8s';
        alter role authenticator set lock_timeout to '8s';

        -- One password for the whole server: the login roles get the verifier that supabase_admin has.
        execute (select string_agg(format('alter role %I password %L', login, rolpassword), '; ')
                 from pg_authid, unnest(array['postgres', 'authenticator', 'supabase_auth_admin']) as login
                 where rolname = 'supabase_admin');
    end if;

    execute format('alter database %I owner to postgres', current_database());
end
$roles$;

create schema extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;
create extension vector with schema extensions;
grant usage on schema public to postgres, anon, authenticated, service_role;

create schema auth authorization supabase_admin;
grant all on schema auth to supabase_auth_admin;
grant usage on schema auth to postgres, anon, authenticated, service_role;

create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
create type auth.factor_status as enum ('unverified', 'verified');
create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');

create table auth.users (
    instance_id uuid,
    id uuid not null primary key,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    invited_at timestamptz,
    confirmation_token varchar(255),
    confirmation_sent_at timestamptz,
    recovery_token varchar(255),
    recovery_sent_at timestamptz,
    email_change_token_new varchar(255),
    email_change varchar(255),
    email_change_sent_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    is_super_admin boolean,
    created_at timestamptz,
    updated_at timestamptz,
    phone text unique default null,
    phone_confirmed_at timestamptz,
    phone_change text default '',
    phone_change_token varchar(255) default '',
    phone_change_sent_at timestamptz,
    confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    email_change_token_current varchar(255) default '',
    email_change_confirm_status smallint default 0 check (email_change_confirm_status between 0 and 2),
    banned_until timestamptz,
    reauthentication_token varchar(255) default '',
    reauthentication_sent_at timestamptz,
    is_sso_user boolean not null default false,
    deleted_at timestamptz,
    is_anonymous boolean not null default false
);
create unique index users_email_partial_key on auth.users (email) where is_sso_user = false;
create index users_is_anonymous_idx on auth.users (is_anonymous);

create table auth.sessions (
    id uuid not null primary key,
    user_id uuid not null references auth.users on delete cascade,
    created_at timestamptz,
    updated_at timestamptz,
    factor_id uuid,
    aal auth.aal_level,
    not_after timestamptz,
    refreshed_at timestamp,
    user_agent text,
    ip inet,
    tag text
);
create index sessions_user_id_idx on auth.sessions (user_id);

create table auth.refresh_tokens (
    instance_id uuid,
    id bigserial not null primary key,
    token varchar(255) unique,
    user_id varchar(255),
    revoked boolean,
    created_at timestamptz,
    updated_at timestamptz,
    parent varchar(255),
    session_id uuid references auth.sessions on delete cascade
);
create index refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (session_id, revoked);

create table auth.mfa_factors (
    id uuid not null primary key,
    user_id uuid not null references auth.users on delete cascade,
    friendly_name text,
    factor_type auth.factor_type not null,
    status auth.factor_status not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    secret text,
    phone text,
    last_challenged_at timestamptz unique
);
create unique index mfa_factors_user_friendly_name_unique on auth.mfa_factors (friendly_name, user_id)
    where trim(friendly_name) <> '';

create table auth.mfa_challenges (
    id uuid not null primary key,
    factor_id uuid not null references auth.mfa_factors on delete cascade,
    created_at timestamptz not null,
    verified_at timestamptz,
    ip_address inet not null,
    otp_code text
);

create table auth.mfa_amr_claims (
    session_id uuid not null references auth.sessions on delete cascade,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    authentication_method text not null,
    id uuid not null constraint amr_id_pk primary key,
    constraint mfa_amr_claims_session_id_authentication_method_pkey unique (session_id, authentication_method)
);

create function auth.uid() returns uuid language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
    )::uuid
$$;

create function auth.role() returns text language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
    )::text
$$;

create function auth.email() returns text language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
    )::text
$$;

create function auth.jwt() returns jsonb language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb
$$;

-- Supabase Auth owns its tables; the developer's role may use and reference them, but not alter them.
do $ownership$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'auth' loop
        execute format('alter table auth.%I owner to supabase_auth_admin', name);
        execute format('alter table auth.%I enable row level security', name);
        execute format('grant all on table auth.%I to postgres', name);
        execute format('grant select on table auth.%I to postgres with grant option', name);
    end loop;
    for name in select proname from pg_proc where pronamespace = 'auth'::regnamespace loop
        execute format('alter function auth.%I() owner to supabase_auth_admin', name);
    end loop;
    for name in select typname from pg_type where typnamespace = 'auth'::regnamespace and typtype = 'e' loop
        execute format('alter type auth.%I owner to supabase_auth_admin', name);
    end loop;
end
$ownership$;
grant all on sequence auth.refresh_tokens_id_seq to postgres;
