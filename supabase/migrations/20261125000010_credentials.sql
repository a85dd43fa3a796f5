-- Credentials of third parties, encrypted before they come here (shared/data/encryption.py). A data key for each tenant
-- encrypts them; it is kept here only wrapped by a key that the database never sees. What a dump of these tables tells
-- is how many there are.
-- Volumes: 10,000 tenants, 2 credentials and 1 to 3 key versions each; read once a send by primary or unique key.

create table public.tenant_keys (
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  version integer not null check (version between 1 and 1000000),
  wrapped_key text not null check (char_length(wrapped_key) between 16 and 4000),
  created_at timestamptz not null default now(),
  primary key (tenant_id, version)
);
comment on table public.tenant_keys is
  'tenant=tenant_id personal=no export=no erase=with-tenant keep=while-customer';

create table public.credentials (
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  channel_id uuid not null,
  name text not null check (name in ('access_token')),
  ciphertext text not null check (char_length(ciphertext) between 16 and 16000),
  key_version integer not null,
  updated_at timestamptz not null default now(),
  primary key (tenant_id, channel_id, name),
  foreign key (tenant_id, channel_id) references public.channels (tenant_id, id) on delete cascade,
  foreign key (tenant_id, key_version) references public.tenant_keys (tenant_id, version)
);
comment on table public.credentials is
  'tenant=tenant_id personal=no export=no erase=with-tenant keep=while-connected';
create index credentials_key on public.credentials (tenant_id, key_version);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['tenant_keys', 'credentials'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format('create policy service_tenant on public.%I for all to portero_service '
      'using (tenant_id = (select private.tenant())) with check (tenant_id = (select private.tenant()))', v_table);
  end loop;
end $$;
grant select, insert, delete on public.tenant_keys to portero_service;
grant update (wrapped_key) on public.tenant_keys to portero_service;
grant select, insert on public.credentials to portero_service;
grant update (ciphertext, key_version, updated_at) on public.credentials to portero_service;

-- The sweep of a rotation: whose keys there are, and no more.
create policy sweep_keys on public.tenant_keys for select to portero_sweep
  using ((select private.called_by_server()));
grant select (tenant_id, version) on public.tenant_keys to portero_sweep;

-- The data keys of a tenant, newest first: [{version, wrapped_key}].
create function public.tenant_keys(p_tenant uuid) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return (select coalesce(jsonb_agg(jsonb_build_object('version', k.version, 'wrapped_key', k.wrapped_key)
      order by k.version desc), '[]') from public.tenant_keys k where k.tenant_id = p_tenant);
end $$;

-- Keep a new version of a tenant's data key. Of two that are made at once the first one counts: {version, wrapped_key}
-- is what there is now.
create function public.keep_tenant_key(p_tenant uuid, p_version integer, p_wrapped_key text) returns jsonb
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  insert into public.tenant_keys (tenant_id, version, wrapped_key) values (p_tenant, p_version, p_wrapped_key)
    on conflict (tenant_id, version) do nothing;
  return (select jsonb_build_object('version', k.version, 'wrapped_key', k.wrapped_key)
    from public.tenant_keys k where k.tenant_id = p_tenant and k.version = p_version);
end $$;

-- Wrap a data key anew, when the wrapping key has changed. False when it is not as it was read any more.
create function public.rewrap_tenant_key(p_tenant uuid, p_version integer, p_was text, p_wrapped_key text) returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.tenant_keys k set wrapped_key = p_wrapped_key
    where k.tenant_id = p_tenant and k.version = p_version and k.wrapped_key = p_was;
  return found;
end $$;

-- Drop the versions below this one that encrypt nothing any more; how many.
create function public.drop_tenant_keys(p_tenant uuid, p_below integer) returns integer
language plpgsql security definer
set search_path = ''
as $$
declare
  v_dropped integer;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  delete from public.tenant_keys k where k.tenant_id = p_tenant and k.version < p_below
    and not exists (select from public.credentials r where r.tenant_id = p_tenant and r.key_version = k.version);
  get diagnostics v_dropped = row_count;
  return v_dropped;
end $$;

-- Keep a credential in place of an earlier one of this channel and name.
create function public.keep_credential(
  p_tenant uuid, p_channel uuid, p_name text, p_ciphertext text, p_key_version integer) returns void
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  insert into public.credentials (tenant_id, channel_id, name, ciphertext, key_version)
    values (p_tenant, p_channel, p_name, p_ciphertext, p_key_version)
    on conflict (tenant_id, channel_id, name) do update
      set ciphertext = excluded.ciphertext, key_version = excluded.key_version, updated_at = now();
  perform private.record_action(p_tenant, 'credential.kept', p_channel);
end $$;

-- The credentials of a tenant: [{channel, name, ciphertext, key_version}].
create function public.credentials(p_tenant uuid) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return (select coalesce(jsonb_agg(jsonb_build_object('channel', r.channel_id, 'name', r.name,
      'ciphertext', r.ciphertext, 'key_version', r.key_version) order by r.channel_id, r.name), '[]')
    from public.credentials r where r.tenant_id = p_tenant);
end $$;

-- Encrypt a credential anew. False when it is not as it was read any more: somebody kept a newer one.
create function public.reencrypt_credential(
  p_tenant uuid, p_channel uuid, p_name text, p_was text, p_ciphertext text, p_key_version integer) returns boolean
language plpgsql security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  update public.credentials r set ciphertext = p_ciphertext, key_version = p_key_version, updated_at = now()
    where r.tenant_id = p_tenant and r.channel_id = p_channel and r.name = p_name and r.ciphertext = p_was;
  return found;
end $$;

-- Whose keys a rotation has to visit, a page at a time: ids after p_after in their order.
create function public.tenants_with_keys(p_after uuid, p_limit integer) returns jsonb
language plpgsql stable security definer
set search_path = ''
as $$
begin
  perform private.require_server();
  return (select coalesce(jsonb_agg(k.tenant_id order by k.tenant_id), '[]')
    from (select distinct t.tenant_id from public.tenant_keys t
      where p_after is null or t.tenant_id > p_after
      order by t.tenant_id limit least(greatest(p_limit, 1), 1000)) k);
end $$;

grant execute on function public.tenant_keys(uuid), public.keep_tenant_key(uuid, integer, text),
  public.rewrap_tenant_key(uuid, integer, text, text), public.drop_tenant_keys(uuid, integer),
  public.keep_credential(uuid, uuid, text, text, integer), public.credentials(uuid),
  public.reencrypt_credential(uuid, uuid, text, text, text, integer), public.tenants_with_keys(uuid, integer)
  to service_role;

grant create on schema public to portero_service, portero_sweep;
alter function public.tenant_keys(uuid) owner to portero_service;
alter function public.keep_tenant_key(uuid, integer, text) owner to portero_service;
alter function public.rewrap_tenant_key(uuid, integer, text, text) owner to portero_service;
alter function public.drop_tenant_keys(uuid, integer) owner to portero_service;
alter function public.keep_credential(uuid, uuid, text, text, integer) owner to portero_service;
alter function public.credentials(uuid) owner to portero_service;
alter function public.reencrypt_credential(uuid, uuid, text, text, text, integer) owner to portero_service;
alter function public.tenants_with_keys(uuid, integer) owner to portero_sweep;
revoke create on schema public from portero_service, portero_sweep;

-- Claim one outbox row for sending. {state: claimed | busy | done | absent} and, when claimed, {fence, text, channel,
-- channel_id, recipient: {phone, id}, window_open, credential: {channel, ciphertext, key_version, wrapped_key} or
-- null}. The 24 h window is looked at now, not when the reply was queued.
create or replace function public.claim_outbox(p_tenant uuid, p_outbox uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = ''
as $$
declare
  v_outbox public.outbox;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_outbox from public.outbox o where o.tenant_id = p_tenant and o.id = p_outbox for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_outbox.state <> 'pending' then
    return jsonb_build_object('state', 'done');
  end if;
  if v_outbox.claimed_until > now() or v_outbox.next_attempt_at > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.outbox o set fence = o.fence + 1, attempts = o.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where o.tenant_id = p_tenant and o.id = p_outbox returning * into v_outbox;
  return (
    select jsonb_build_object('state', 'claimed', 'fence', v_outbox.fence, 'attempts', v_outbox.attempts,
      'text', m.body, 'channel', c.kind, 'channel_id', c.external_id,
      'recipient', jsonb_build_object('phone', k.phone, 'id', k.external_id),
      'window_open', coalesce(v.last_inbound_at > now() - interval '24 hours', false),
      'credential', (select jsonb_build_object('channel', r.channel_id, 'ciphertext', r.ciphertext,
          'key_version', r.key_version, 'wrapped_key', t.wrapped_key)
        from public.credentials r
        join public.tenant_keys t on t.tenant_id = p_tenant and t.version = r.key_version
        where r.tenant_id = p_tenant and r.channel_id = c.id and r.name = 'access_token'))
    from public.messages m
    join public.conversations v on v.tenant_id = p_tenant and v.id = m.conversation_id
    join public.channels c on c.tenant_id = p_tenant and c.id = v.channel_id
    join public.contacts k on k.tenant_id = p_tenant and k.id = v.contact_id
    where m.tenant_id = p_tenant and m.id = v_outbox.message_id);
end $$;
