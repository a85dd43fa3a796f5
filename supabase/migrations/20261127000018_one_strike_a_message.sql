-- A turn that is tried again strikes no second time, and what was blocked stands in no later turn's history.

-- Count a message against whoever wrote it, once, and tell where they stand with it.
drop function public.strike_contact(uuid, uuid, text);
create function public.strike_contact(p_tenant uuid, p_message uuid, p_rule text) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_contact uuid;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select v.contact_id into v_contact from public.inbox b
    join public.conversations v on v.tenant_id = b.tenant_id and v.id = b.conversation_id
    where b.tenant_id = p_tenant and b.id = p_message;
  if v_contact is null then
    raise exception 'not found' using errcode = '42501';
  end if;
  insert into public.strikes (id, tenant_id, contact_id, rule, expires_at)
    values (p_message, p_tenant, v_contact, p_rule, now() + case
      when (private.standing(p_tenant, v_contact) ->> 'strikes')::integer >= 5 then interval '1 year' else interval '7 days' end)
    on conflict (id) do nothing;
  if found then
    perform private.record_action(p_tenant, 'contact.struck', v_contact);
  end if;
  return private.standing(p_tenant, v_contact);
end $$;

do $$
declare
  v_turn text := pg_get_functiondef('public.claim_turn(uuid, uuid, integer)'::regprocedure);
begin
  assert strpos(v_turn, 'and b.outcome is null)') > 0;
  execute replace(v_turn, 'and b.outcome is null)', 'and (b.outcome is null or b.outcome = ''blocked''))');
end $$;

grant execute on function public.strike_contact(uuid, uuid, text) to service_role;
grant create on schema public to portero_service;
alter function public.strike_contact(uuid, uuid, text) owner to portero_service;
revoke create on schema public from portero_service;
