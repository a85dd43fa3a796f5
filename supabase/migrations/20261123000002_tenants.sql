-- Tenants (a business each), their members and their channels.
-- Volumes: 10,000 tenants, 3 members and 2 channels each.

create table public.tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null check (char_length(name) between 1 and 120),
  language text not null default 'es' check (language in ('es', 'pt', 'en')),
  time_zone text not null default 'America/Sao_Paulo' check (char_length(time_zone) <= 64),
  instructions text not null default '' check (char_length(instructions) <= 4000),
  hand_off_sentence text not null check (char_length(hand_off_sentence) between 1 and 500)
    default 'Ya le aviso a una persona del equipo, que te responde en cuanto pueda.',
  created_at timestamptz not null default now()
);
comment on table public.tenants is 'tenant=id personal=no export=owner erase=with-tenant keep=while-customer';

create table public.members (
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null check (role in ('owner', 'agent')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
comment on table public.members is 'tenant=tenant_id personal=user_id export=owner erase=with-user keep=while-member';
-- private.my_tenants(): which tenants is this user in?
create index members_user on public.members (user_id, tenant_id);

create table public.channels (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  kind text not null check (kind in ('whatsapp', 'instagram', 'messenger')),
  external_id text not null check (external_id ~ '^[0-9]{1,32}$'),
  -- The account above it (WhatsApp Business Account): events of the account name no number.
  account_id text check (account_id ~ '^[0-9]{1,32}$'),
  display_name text not null default '' check (char_length(display_name) <= 120),
  created_at timestamptz not null default now(),
  unique (tenant_id, id),
  -- keep_inbox(): whose number is this? Members cannot insert here, so the key is no oracle for them.
  unique (kind, external_id)
);
comment on table public.channels is 'tenant=tenant_id personal=no export=owner erase=with-tenant keep=while-connected';

create index channels_account on public.channels (kind, account_id) where account_id is not null;

-- The caller's own tenants. It takes no user argument, so it cannot be asked about anybody else.
create function private.my_tenants() returns setof uuid
language sql stable security definer
set search_path = ''
as $$ select m.tenant_id from public.members m where m.user_id = private.user_id() $$;

alter table public.tenants enable row level security;
alter table public.tenants force row level security;
alter table public.members enable row level security;
alter table public.members force row level security;
alter table public.channels enable row level security;
alter table public.channels force row level security;

create policy member_reads on public.tenants for select to authenticated
  using (id in (select private.my_tenants()));
create policy member_changes on public.tenants for update to authenticated
  using (id in (select private.my_tenants())) with check (id in (select private.my_tenants()));
create policy member_reads on public.members for select to authenticated
  using (tenant_id in (select private.my_tenants()));
create policy member_reads on public.channels for select to authenticated
  using (tenant_id in (select private.my_tenants()));

create policy service_tenant on public.tenants for all to portero_service
  using (id = (select private.tenant())) with check (id = (select private.tenant()));
create policy service_own_memberships on public.members for select to portero_service
  using (user_id = (select private.user_id()) or tenant_id = (select private.tenant()));
create policy service_tenant on public.members for insert to portero_service
  with check (tenant_id = (select private.tenant()));
-- The only read that precedes knowing the tenant: a signed webhook names a number, the number names the tenant.
create policy service_routes on public.channels for select to portero_service using (true);
create policy service_tenant on public.channels for insert to portero_service
  with check (tenant_id = (select private.tenant()));

grant select on public.tenants, public.members, public.channels to authenticated;
grant update (name, language, time_zone, instructions, hand_off_sentence) on public.tenants to authenticated;
grant select, insert, update on public.tenants to portero_service;
grant select, insert on public.members, public.channels to portero_service;

-- A new account gets a tenant of its own. The name is the person's to change; nothing else is taken from user_metadata.
create function private.open_account() returns trigger
language plpgsql security definer
set search_path = ''
as $$
declare
  v_tenant uuid := gen_random_uuid();
  v_name text := left(btrim(coalesce(new.raw_user_meta_data ->> 'business', '')), 120);
begin
  perform private.enter_tenant(v_tenant);
  insert into public.tenants (id, name) values (v_tenant, case when v_name = '' then 'Mi negocio' else v_name end);
  insert into public.members (tenant_id, user_id, role) values (v_tenant, new.id, 'owner');
  return new;
end $$;

create trigger open_account after insert on auth.users for each row execute function private.open_account();

-- Connect a number or page to a tenant (the onboarding of a channel, and the seed of the offline world).
create function public.connect_channel(
  p_tenant uuid, p_kind text, p_external_id text, p_account_id text, p_display_name text)
returns uuid
language plpgsql security definer
set search_path = ''
as $$
declare
  v_channel uuid;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select c.id into v_channel from public.channels c
    where c.tenant_id = p_tenant and c.kind = p_kind and c.external_id = p_external_id;
  if v_channel is null then
    insert into public.channels (tenant_id, kind, external_id, account_id, display_name)
      values (p_tenant, p_kind, p_external_id, p_account_id, p_display_name) returning id into v_channel;
  end if;
  return v_channel;
end $$;
grant execute on function public.connect_channel(uuid, text, text, text, text) to service_role;
grant execute on function private.my_tenants() to authenticated;

grant create on schema public, private to portero_service;
alter function private.my_tenants() owner to portero_service;
alter function private.open_account() owner to portero_service;
alter function public.connect_channel(uuid, text, text, text, text) owner to portero_service;
revoke create on schema public, private from portero_service;
