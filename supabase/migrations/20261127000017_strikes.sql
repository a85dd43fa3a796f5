-- Strikes: how often a contact tried to turn the assistant, and what follows (docs/decisions/0011). Volumes, 10,000
-- tenants: 1,000 strikes a day.

-- A strike counts for a week; from the sixth on it counts until a member lifts it.
create function private.standing(p_tenant uuid, p_contact uuid) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('strikes', count(*), 'last_at', max(s.struck_at),
    'is_held', coalesce(bool_or(s.expires_at > s.struck_at + interval '30 days'), false))
  from public.strikes s
  where s.tenant_id = p_tenant and s.contact_id = p_contact and s.lifted_at is null and s.expires_at > now()
$$;

-- Give a strike, and tell where the contact stands with it.
create function public.strike_contact(p_tenant uuid, p_contact uuid, p_rule text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before bigint;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  v_before := (private.standing(p_tenant, p_contact) ->> 'strikes')::bigint;
  insert into public.strikes (tenant_id, contact_id, rule, expires_at)
    values (p_tenant, p_contact, p_rule, now() + case when v_before >= 5 then interval '1 year' else interval '7 days' end);
  perform private.record_action(p_tenant, 'contact.struck', p_contact);
  return private.standing(p_tenant, p_contact);
end $$;

-- Lift all strikes of a contact; how many there were. Any member may: they see the conversation.
create function public.lift_strikes(p_tenant uuid, p_contact uuid) returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_lifted integer;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  update public.strikes s set lifted_at = now()
    where s.tenant_id = p_tenant and s.contact_id = p_contact and s.lifted_at is null and s.expires_at > now();
  get diagnostics v_lifted = row_count;
  if v_lifted > 0 then
    perform private.record_action(p_tenant, 'contact.lifted', p_contact);
  end if;
  return v_lifted;
end $$;

-- What a worker is told with its claim: where the contact stands, and which messages were only passed on.
do $$
declare
  v_turn text := pg_get_functiondef('public.claim_turn(uuid, uuid, integer)'::regprocedure);
begin
  assert strpos(v_turn, '''state'', ''claimed'', ') > 0 and strpos(v_turn, '''text'', m.body)') > 0;
  v_turn := replace(v_turn, '''state'', ''claimed'', ', '''state'', ''claimed'', '
    '''standing'', private.standing(p_tenant, v_conversation.contact_id), ');
  execute replace(v_turn, '''text'', m.body)', '''text'', m.body, ''is_forwarded'', '
    'coalesce((b.item #>> ''{context,forwarded}'') = ''true'' or (b.item #>> ''{context,frequently_forwarded}'') = ''true'', false))');
end $$;

grant execute on function public.strike_contact(uuid, uuid, text) to service_role;
grant execute on function public.lift_strikes(uuid, uuid) to authenticated;
grant create on schema public, private to portero_service;
alter function private.standing(uuid, uuid) owner to portero_service;
alter function public.strike_contact(uuid, uuid, text) owner to portero_service;
alter function public.lift_strikes(uuid, uuid) owner to portero_service;
revoke create on schema public, private from portero_service;
