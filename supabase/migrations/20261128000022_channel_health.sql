-- Whether a channel still works: Meta forgets subscriptions in silence, and tokens end (docs/operations.md).
alter table public.channels
  add column health text not null default 'unknown'
    check (health in ('unknown', 'good', 'token_refused', 'unsubscribed')),
  add column checked_at timestamptz;
create index channels_unchecked on public.channels (checked_at nulls first);
create policy sweep_channels on public.channels for select to portero_sweep using ((select private.called_by_server()));
grant select (id, tenant_id, checked_at) on public.channels to portero_sweep;
grant update (health, checked_at) on public.channels to portero_service;

-- Channels of all tenants that nobody has asked about for p_seconds, those that wait longest first: [{tenant, channel}].
create function public.channels_to_check(p_seconds integer, p_limit integer) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  return (select coalesce(jsonb_agg(jsonb_build_object('tenant', c.tenant_id, 'channel', c.id)), '[]') from (
    select c.tenant_id, c.id from public.channels c
    where c.checked_at is null or c.checked_at < now() - make_interval(secs => p_seconds)
    order by c.checked_at nulls first, c.id limit least(greatest(p_limit, 1), 500)) c);
end $$;

-- {kind, external_id, account_id, credential: as in claim_outbox, or null}.
create function public.channel_facts(p_tenant uuid, p_channel uuid) returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  return (select jsonb_build_object('kind', c.kind, 'external_id', c.external_id, 'account_id', c.account_id,
      'credential', (select jsonb_build_object('channel', r.channel_id, 'ciphertext', r.ciphertext,
          'key_version', r.key_version, 'wrapped_key', t.wrapped_key)
        from public.credentials r
        join public.tenant_keys t on t.tenant_id = p_tenant and t.version = r.key_version
        where r.tenant_id = p_tenant and r.channel_id = c.id and r.name = 'access_token'))
    from public.channels c where c.tenant_id = p_tenant and c.id = p_channel);
end $$;

-- What a channel was found to be; a change is in the audit log.
create function public.note_channel(p_tenant uuid, p_channel uuid, p_health text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before text;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select c.health into v_before from public.channels c where c.tenant_id = p_tenant and c.id = p_channel for update;
  update public.channels c set health = p_health, checked_at = now() where c.tenant_id = p_tenant and c.id = p_channel;
  if v_before is distinct from p_health and found then
    perform private.record_action(p_tenant, 'channel.' || p_health, p_channel);
  end if;
end $$;

grant execute on function public.channels_to_check(integer, integer), public.channel_facts(uuid, uuid),
  public.note_channel(uuid, uuid, text) to service_role;
grant create on schema public to portero_service, portero_sweep;
alter function public.channels_to_check(integer, integer) owner to portero_sweep;
alter function public.channel_facts(uuid, uuid) owner to portero_service;
alter function public.note_channel(uuid, uuid, text) owner to portero_service;
revoke create on schema public from portero_service, portero_sweep;
