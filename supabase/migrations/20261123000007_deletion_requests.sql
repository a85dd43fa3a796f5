-- People who asked Meta to have their data deleted here, or who took the app away.
-- Volumes: some 50 a day. Settled rows older than two years are pruned by received_at; the proof that a request was
-- carried out is asked for within that time.

create table public.deletion_requests (
  id uuid primary key default gen_random_uuid(),
  kind text not null check (kind in ('deletion', 'deauthorize')),
  -- The id that Meta gave this person for our app: neither a phone nor the id that they write to a page with.
  provider_user_id text not null check (char_length(provider_user_id) between 1 and 128),
  issued_at timestamptz not null,
  -- Shows the state to whoever holds it, and nothing else.
  code text not null unique check (code ~ '^[0-9a-f]{32}$'),
  state text not null default 'received' check (state in ('received', 'done', 'nothing_found', 'refused')),
  received_at timestamptz not null default now(),
  settled_at timestamptz,
  -- keep_deletion_request(): Meta may deliver a request more than once.
  unique (kind, provider_user_id, issued_at),
  check ((state = 'received') = (settled_at is null))
);
comment on table public.deletion_requests is
  'tenant=none personal=provider_user_id export=no erase=with-age keep=24-months';
-- The work that is left, oldest first.
create index deletion_requests_open on public.deletion_requests (received_at) where state = 'received';
-- Retention prunes by age.
create index deletion_requests_age on public.deletion_requests (received_at);

alter table public.deletion_requests enable row level security;
alter table public.deletion_requests force row level security;
-- The same person may have written to many tenants.
create policy service_all on public.deletion_requests for all to portero_service using (true) with check (true);
grant select, insert on public.deletion_requests to portero_service;
grant update (state, settled_at) on public.deletion_requests to portero_service;

-- Keep a request: {"code", "new"}. A repeated delivery gets the code that the first one got.
create function public.keep_deletion_request(p_kind text, p_user text, p_issued_at timestamptz, p_code text)
returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
  v_code text;
begin
  perform private.require_server();
  insert into public.deletion_requests (kind, provider_user_id, issued_at, code)
    values (p_kind, p_user, p_issued_at, p_code)
    on conflict (kind, provider_user_id, issued_at) do nothing
    returning code into v_code;
  if v_code is not null then
    return jsonb_build_object('code', v_code, 'new', true);
  end if;
  select d.code into v_code from public.deletion_requests d
    where d.kind = p_kind and d.provider_user_id = p_user and d.issued_at = p_issued_at;
  return jsonb_build_object('code', v_code, 'new', false);
end $$;

-- The state of a request by its code, or null: {"kind", "state", "received_at", "settled_at"}. Not whose it is.
create function public.deletion_status(p_code text) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  return (select jsonb_build_object('kind', d.kind, 'state', d.state, 'received_at', d.received_at,
      'settled_at', d.settled_at)
    from public.deletion_requests d where d.code = p_code);
end $$;
grant execute on function public.keep_deletion_request(text, text, timestamptz, text), public.deletion_status(text)
  to service_role;

grant create on schema public to portero_service;
alter function public.keep_deletion_request(text, text, timestamptz, text) owner to portero_service;
alter function public.deletion_status(text) owner to portero_service;
revoke create on schema public from portero_service;
